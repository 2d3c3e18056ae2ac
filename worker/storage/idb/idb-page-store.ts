/** Pages in IndexedDB: one value per page under its id, and the superblock under key 0 of the same object store. */
import { type PageId, toPageId } from '../../../src/base/ids.ts';
import { StoreError } from '../../../src/base/store-error.ts';
import type { PageCommit, PageStore, Superblock } from '../page-store.ts';
import { assertPageCommit } from '../write-rules.ts';
import type { Connection } from './connection.ts';
import { type ObjectStoreName, SUPERBLOCK_KEY } from './idb-schema.ts';
import { bytesToValue, damaged, mustBeBytes } from './record-bytes.ts';

const PAGES: readonly ObjectStoreName[] = ['pages'];

export class IdbPageStore implements PageStore {
  readonly #connection: Connection;
  readonly #keyRange: typeof IDBKeyRange;

  constructor(connection: Connection, keyRange: typeof IDBKeyRange) {
    this.#connection = connection;
    this.#keyRange = keyRange;
  }

  readSuperblock(): Promise<Superblock | undefined> {
    return this.#connection.read<Superblock | undefined>({
      stores: PAGES,
      work: (scope, resolve) => {
        scope.after(scope.store('pages').get(SUPERBLOCK_KEY), (value) => resolve(toSuperblock(value)));
      },
    });
  }

  async read(ids: readonly PageId[]): Promise<readonly (Uint8Array | undefined)[]> {
    if (ids.length === 0) return [];
    return this.#connection.read<readonly (Uint8Array | undefined)[]>({
      stores: PAGES,
      work: (scope, resolve) => {
        const store = scope.store('pages');
        const requests = ids.map((id) => store.get(id));
        // Requests of a transaction are answered in their order: with the last, all are there.
        scope.after(requests.at(-1)!, () => resolve(requests.map(({ result }, index) => toPage(result, ids[index]!))));
      },
    });
  }

  commit(commit: PageCommit): Promise<void> {
    const { writes, frees, superblock } = commit;
    return this.#connection.write({
      stores: PAGES,
      durability: 'strict',
      work: (scope) => {
        assertPageCommit(commit);
        const store = scope.store('pages');
        // The fence costs no extra wait: the rest is queued behind it, and undone if it does not hold.
        scope.after(store.get(SUPERBLOCK_KEY), (value) => {
          assertGeneration(toSuperblock(value)?.generation ?? 0, superblock.generation);
        });
        for (const { id, bytes } of writes) store.add(bytesToValue(bytes), id);
        for (const id of frees) store.delete(id);
        const value: StoredSuperblock = { generation: superblock.generation, bytes: bytesToValue(superblock.bytes) };
        scope.commitAfter(store.put(value, SUPERBLOCK_KEY));
      },
    });
  }

  ids(): Promise<readonly PageId[]> {
    return this.#connection.read<readonly PageId[]>({
      stores: PAGES,
      work: (scope, resolve) => {
        const range = this.#keyRange.lowerBound(SUPERBLOCK_KEY, true);
        scope.after(scope.store('pages').getAllKeys(range), (keys) => resolve((keys as number[]).map(toPageId)));
      },
    });
  }
}

type StoredSuperblock = { readonly generation: number; readonly bytes: ArrayBuffer };

function toSuperblock(value: unknown): Superblock | undefined {
  if (value === undefined) return undefined;
  const { generation, bytes } = Object(value) as Partial<StoredSuperblock>;
  if (!Number.isSafeInteger(generation)) throw damaged('The superblock has no generation.', {});
  return { generation: generation as number, bytes: mustBeBytes(bytes, 'The superblock') };
}

function toPage(value: unknown, id: PageId): Uint8Array | undefined {
  return value === undefined ? undefined : mustBeBytes(value, `Page ${id}`);
}

function assertGeneration(stored: number, next: number): void {
  if (stored === next - 1) return;
  throw new StoreError('storage/generation-mismatch', `Generation ${next} cannot follow ${stored}.`, {
    details: { stored, next },
    hint: 'Another writer has made a checkpoint. Reopen the store.',
  });
}
