/**
 * Large values in IndexedDB. Key `[id, 0]` holds the length in bytes, keys `[id, 1]`, `[id, 2]` ... the chunks, each full
 * except the last. The length tells a whole value from one that lost its end.
 */
import { type BlobId, toBlobId } from '../../../src/base/ids.ts';
import { RECORD_BYTES_MAX } from '../../../src/base/limits.ts';
import type { BlobStore } from '../blob-store.ts';
import type { BlobWrite } from '../log-store.ts';
import type { Connection, ReadScope } from './connection.ts';
import type { ObjectStoreName } from './idb-schema.ts';
import { damaged, mustBeBytes } from './record-bytes.ts';

const BLOBS: readonly ObjectStoreName[] = ['blobs'];
/** Records fetched by one request, 12 MiB: browsers refuse a single answer of 128 MiB and more (F13). */
const FETCH_RECORDS_MAX = 256;

/** Queues the requests that store a value, and answers the last. */
export function addBlob(store: IDBObjectStore, { id, bytes }: BlobWrite): IDBRequest {
  let last: IDBRequest = store.add(bytes.byteLength, [id, 0]);
  for (let chunk = 1, at = 0; at < bytes.byteLength; chunk++, at += RECORD_BYTES_MAX) {
    last = store.add(bytes.slice(at, at + RECORD_BYTES_MAX).buffer, [id, chunk]);
  }
  return last;
}

export class IdbBlobStore implements BlobStore {
  readonly #connection: Connection;
  readonly #keyRange: typeof IDBKeyRange;

  constructor(connection: Connection, keyRange: typeof IDBKeyRange) {
    this.#connection = connection;
    this.#keyRange = keyRange;
  }

  read(id: BlobId): Promise<Uint8Array | undefined> {
    return this.#connection.read<Uint8Array | undefined>({
      stores: BLOBS,
      work: (scope, resolve) => {
        scope.after(this.#fetch(scope, id, 0), (records) => {
          const [byteLength, ...chunks] = records as unknown[];
          if (records.length === 0) return resolve(undefined);
          if (typeof byteLength !== 'number') throw damaged(`Value ${id} lacks its length.`, { blob: id });
          const bytes = new BlobAssembly(id, byteLength);
          bytes.add(chunks);
          if (records.length < FETCH_RECORDS_MAX) resolve(bytes.finish());
          else this.#readRest(scope, { id, bytes, first: FETCH_RECORDS_MAX, resolve });
        });
      },
    });
  }

  async delete(ids: readonly BlobId[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#connection.write({
      stores: BLOBS,
      durability: 'relaxed',
      work: (scope) => {
        const store = scope.store('blobs');
        // An array sorts after every number, so this bound is above all chunks.
        const requests = ids.map((id) => store.delete(this.#keyRange.bound([id], [id, []])));
        scope.commitAfter(requests.at(-1)!);
      },
    });
  }

  ids(): Promise<readonly BlobId[]> {
    return this.#connection.read<readonly BlobId[]>({
      stores: BLOBS,
      work: (scope, resolve) => {
        scope.after(scope.store('blobs').getAllKeys(), (keys) => {
          const ids = new Set((keys as [number, number][]).map(([id]) => id));
          resolve([...ids].map(toBlobId));
        });
      },
    });
  }

  #readRest(scope: ReadScope, rest: { id: BlobId; bytes: BlobAssembly; first: number; resolve: ResolveBytes }): void {
    const { id, bytes, first, resolve } = rest;
    scope.after(this.#fetch(scope, id, first), (chunks) => {
      bytes.add(chunks);
      if (chunks.length < FETCH_RECORDS_MAX) resolve(bytes.finish());
      else this.#readRest(scope, { ...rest, first: first + FETCH_RECORDS_MAX });
    });
  }

  #fetch(scope: ReadScope, id: BlobId, first: number): IDBRequest<unknown[]> {
    const range = this.#keyRange.bound([id, first], [id, first + FETCH_RECORDS_MAX - 1]);
    return scope.store('blobs').getAll(range);
  }
}

type ResolveBytes = (bytes: Uint8Array) => void;

/** Chunks on their way to being one value. Memory is taken for what was found, not for what the length announces. */
class BlobAssembly {
  readonly #id: BlobId;
  readonly #expected: number;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(id: BlobId, expected: number) {
    this.#id = id;
    this.#expected = expected;
  }

  add(values: readonly unknown[]): void {
    for (const value of values) {
      const chunk = mustBeBytes(value, `A chunk of value ${this.#id}`);
      this.#chunks.push(chunk);
      this.#length += chunk.byteLength;
    }
  }

  finish(): Uint8Array {
    const [expected, found] = [this.#expected, this.#length];
    // A chunk missing in the middle shows here as well: all but the last are full.
    if (found !== expected) {
      throw damaged(`Value ${this.#id} has ${found} bytes instead of ${expected}.`, {
        blob: this.#id,
        expected,
        found,
      });
    }
    const bytes = new Uint8Array(found);
    let at = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return bytes;
  }
}
