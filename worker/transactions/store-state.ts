/**
 * The whole store in memory: collections and their trees, the page space, open snapshots, and the ids given out. The
 * catalogue it writes into the superblock is all that opening needs besides the tail of the log.
 */
import { decodeRows, encodeRows } from '../../src/base/codec/index.ts';
import { crc32c } from '../../src/base/crc32c.ts';
import { toBlobId } from '../../src/base/ids.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { CollectionSpec, IndexSpec } from '../../src/protocol/definition.ts';
import { isHidden, SYNC_CHANGES } from '../../src/protocol/sync-worker.ts';
import { CollectionState, IndexState, type MigrationMark, primaryKind, weighRow } from '../indexes/index.ts';
import { BlobRow, PAGE_MISS, PageSpace, SnapshotRegistry, Tree, type TreeState } from '../pages/index.ts';
import { compilePredicate, parseSelector } from '../query/index.ts';
import type { Storage } from '../storage/index.ts';
import { AnsweredCalls } from './answered-calls.ts';
import type { CatalogueChange } from './commit-format.ts';

/** The superblock, decoded. Permanent: fields are only added. */
export type Catalogue = {
  readonly format: number;
  /** The last frame that the pages hold: replay begins after it. */
  readonly floor: number;
  readonly epoch: number;
  readonly nextPage: number;
  readonly nextBlob: number;
  readonly nextTree: number;
  readonly nextCollection: number;
  readonly pendingPages: readonly number[];
  readonly pendingBlobs: readonly number[];
  readonly collections: readonly CatalogueCollection[];
};

type CatalogueCollection = {
  readonly id: number;
  readonly spec: CollectionSpec;
  readonly tree: number;
  readonly root: number;
  readonly count: number;
  /** Only while a migration is under way; then the catalogue has the format of one. */
  readonly migration?: MigrationMark | undefined;
  readonly indexes: readonly {
    readonly spec: IndexSpec;
    readonly tree: number;
    readonly root: number;
    readonly count: number;
    readonly state: 'ready' | 'building';
    readonly meetsArrays: boolean;
  }[];
};

export const CATALOGUE_FORMAT = 1;
/** A package that does not know of migrations would take the rows for those of the version before. */
export const CATALOGUE_FORMAT_OF_MIGRATION = 2;
/** Has a collection that is synchronised: a package that does not know of marks would change rows without them. */
export const CATALOGUE_FORMAT_OF_SYNC = 3;
const CHECKSUM_BYTES = 4;

export class StoreState {
  readonly space: PageSpace;
  readonly snapshots: SnapshotRegistry = new SnapshotRegistry();
  readonly collections: Map<string, CollectionState> = new Map();
  /** Calls of other tabs that were done. */
  readonly answered: AnsweredCalls = new AnsweredCalls();
  readonly #byId: Map<number, CollectionState> = new Map();
  readonly #blobRows: Map<number, Row> = new Map();
  /** Large rows of writes that are not stored yet, by blob. */
  readonly #unstoredBlobRows: Map<number, Row> = new Map();
  readonly #wantedBlobs: Set<number> = new Set();
  readonly #storage: Storage;
  /** Where marks are kept; undefined as long as nothing is synchronised. */
  changes: CollectionState | undefined;
  nextBlob = 1;
  nextTree = 1;
  nextCollection = 1;

  constructor(storage: Storage, options: { readonly cacheBytesMax: number }) {
    this.#storage = storage;
    this.space = new PageSpace(storage.pages, options);
    this.space.alsoLoad = () => this.#loadBlobs();
  }

  byId(id: number): CollectionState {
    const collection = this.#byId.get(id);
    if (collection === undefined) {
      throw new StoreError('store/damaged', `The log names a collection ${id} that the catalogue does not have.`);
    }
    return collection;
  }

  must(name: string): CollectionState {
    const collection = this.collections.get(name);
    if (collection !== undefined) return collection;
    throw new StoreError('store/unknown-collection', `There is no collection ${JSON.stringify(name)} in this store.`, {
      details: { collection: name, known: [...this.collections.keys()].filter((known) => !isHidden(known)) },
      hint: 'Name it in openStore({ collections }).',
    });
  }

  get trees(): readonly Tree[] {
    return [...this.collections.values()].flatMap(({ trees }) => trees);
  }

  /** Whole row of what a primary tree holds. A row in the blob store is loaded like a missed page. */
  wholeRow(stored: unknown): Row {
    if (!(stored instanceof BlobRow)) return stored as Row;
    const row = this.#unstoredBlobRows.get(stored.blob) ?? this.#blobRows.get(stored.blob);
    if (row !== undefined) return row;
    this.#wantedBlobs.add(stored.blob);
    throw PAGE_MISS;
  }

  /** A large row was written to the head: until it is stored, it is read from memory. */
  keepUnstored({ blob }: BlobRow, row: Row): void {
    this.#unstoredBlobRows.set(blob, row);
  }

  /** Its write was stored, or undone. */
  dropUnstored(blob: number): void {
    this.#unstoredBlobRows.delete(blob);
  }

  async readBlob({ blob }: BlobRow): Promise<Row> {
    const unstored = this.#unstoredBlobRows.get(blob);
    if (unstored !== undefined) return unstored;
    const bytes = await this.#storage.blobs.read(toBlobId(blob));
    const row = bytes === undefined ? undefined : decodeRows(bytes)[0];
    if (row === undefined) {
      throw new StoreError('store/damaged', `Value ${blob} of the blob store is missing.`, { details: { blob } });
    }
    return row;
  }

  /** Lets go of large rows that were loaded, and of pages over the budget. Called between operations. */
  trim(): void {
    if (!this.space.isHeld) this.#blobRows.clear();
    this.space.trim();
  }

  async #loadBlobs(): Promise<void> {
    const blobs = [...this.#wantedBlobs];
    this.#wantedBlobs.clear();
    // All are asked for at once: what is deleted after that is still read.
    const rows = await Promise.all(blobs.map((blob) => this.readBlob(new BlobRow('', blob, 0))));
    for (const [at, blob] of blobs.entries()) this.#blobRows.set(blob, rows[at]!);
  }

  addCollection(id: number, spec: CollectionSpec, tree: number, state?: TreeState): CollectionState {
    this.space.register(tree, primaryKind(spec.key));
    const collection = new CollectionState(id, spec, new Tree(tree, this.space, state, weighRow), []);
    this.collections.set(spec.name, collection);
    this.#byId.set(id, collection);
    if (spec.name === SYNC_CHANGES) this.changes = collection;
    this.nextCollection = Math.max(this.nextCollection, id + 1);
    this.nextTree = Math.max(this.nextTree, tree + 1);
    return collection;
  }

  /**
   * An index of a collection without rows is ready at once; any other has to be built. Rows that are only stored count:
   * their deletion may still fail.
   */
  addIndex(
    collection: CollectionState,
    spec: IndexSpec,
    tree: number,
    kept?: { readonly tree: TreeState; readonly state: 'ready' | 'building'; readonly meetsArrays: boolean },
  ): IndexState {
    this.space.register(tree, { type: 'keys' });
    const index = new IndexState({
      spec,
      tree: new Tree(tree, this.space, kept?.tree, undefined),
      state: kept?.state ?? (isEmpty(collection.primary) ? 'ready' : 'building'),
      meetsArrays: kept?.meetsArrays ?? false,
      accepts: spec.where === undefined ? undefined : compilePredicate(parseSelector(spec.where)),
    });
    collection.indexes.push(index);
    this.nextTree = Math.max(this.nextTree, tree + 1);
    return index;
  }

  applyCatalogueChange(change: CatalogueChange): void {
    switch (change.type) {
      case 'create-collection':
        this.addCollection(change.id, change.spec, change.tree);
        return;
      case 'alter-collection':
        this.byId(change.id).spec = change.spec;
        return;
      case 'create-index': {
        const collection = this.byId(change.collection);
        if (!collection.indexes.some(({ spec }) => spec.name === change.index.name)) {
          this.addIndex(collection, change.index, change.tree);
        }
        return;
      }
      case 'drop-index': {
        const collection = this.byId(change.collection);
        const index = collection.indexes.find(({ spec }) => spec.name === change.name);
        if (index === undefined) return;
        collection.indexes = collection.indexes.filter((other) => other !== index);
        this.dropped.push(index.tree);
        return;
      }
      case 'migrate-rows':
        this.byId(change.collection).migration = { to: change.to, upTo: change.upTo, done: change.done };
        return;
      case 'end-migration': {
        const collection = this.byId(change.collection);
        collection.spec = { ...collection.spec, version: change.version };
        collection.migration = undefined;
        return;
      }
      default:
        throw new StoreError('store/newer-version', `The log has a change ${JSON.stringify(change satisfies never)}.`, {
          hint: 'Open the store with the version of the package that wrote it, or a later one.',
        });
    }
  }

  /** Trees of dropped indexes, whose pages a checkpoint has yet to collect. */
  dropped: Tree[] = [];

  /** Blobs that replayed operations no longer need. */
  replayFreed: number[] = [];

  /** After replay: what is in memory is what is stored. */
  settleAll(): void {
    for (const tree of this.trees) tree.visible = tree.stored = tree.seal();
    this.space.version += 1;
    this.snapshots.publish({ pages: this.space.pagesOf(this.space.freed), blobs: this.replayFreed });
    this.space.freed = [];
    this.replayFreed = [];
  }

  load(catalogue: Catalogue): void {
    this.space.nextPage = catalogue.nextPage;
    this.nextBlob = catalogue.nextBlob;
    for (const { id, spec, tree, root, count, migration, indexes } of catalogue.collections) {
      const collection = this.addCollection(id, spec, tree, treeState(root, count));
      collection.migration = migration;
      for (const index of indexes) {
        const kept = {
          tree: treeState(index.root, index.count) as TreeState,
          state: index.state,
          meetsArrays: index.meetsArrays,
        };
        this.addIndex(
          collection,
          index.spec,
          index.tree,
          index.root === 0 ? { ...kept, tree: undefined as never } : kept,
        );
      }
    }
    this.nextTree = Math.max(this.nextTree, catalogue.nextTree);
    this.nextCollection = Math.max(this.nextCollection, catalogue.nextCollection);
    this.snapshots.publish({ pages: catalogue.pendingPages, blobs: catalogue.pendingBlobs });
  }
}

const isEmpty = ({ count, stored }: Tree): boolean => count === 0 && stored.count === 0;

const treeState = (root: number, count: number): TreeState | undefined => (root === 0 ? undefined : { root, count });

export function encodeCatalogue(catalogue: Catalogue): Uint8Array {
  const body = encodeRows([catalogue as unknown as Row]);
  const bytes = new Uint8Array(body.length + CHECKSUM_BYTES);
  new DataView(bytes.buffer).setUint32(0, crc32c(body), true);
  bytes.set(body, CHECKSUM_BYTES);
  return bytes;
}

/** Refuses what it does not know, and destroys nothing. */
export function decodeCatalogue(bytes: Uint8Array): Catalogue {
  const body = bytes.subarray(CHECKSUM_BYTES);
  const isWhole =
    bytes.length > CHECKSUM_BYTES &&
    crc32c(body) === new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  if (!isWhole) {
    throw new StoreError('store/damaged', 'The superblock of the store fails its checksum. Nothing was changed.', {
      hint: 'Keep the browser profile for analysis. To begin anew, delete the database or call destroy().',
    });
  }
  const catalogue = decodeRows(body)[0] as unknown as Catalogue;
  if (catalogue.format > CATALOGUE_FORMAT_OF_SYNC) {
    throw new StoreError(
      'store/newer-version',
      `The store has format ${catalogue.format}; this package knows ${CATALOGUE_FORMAT_OF_SYNC}.`,
      {
        details: { found: catalogue.format, known: CATALOGUE_FORMAT_OF_SYNC },
        hint: 'Reload the page to get the newer version of the application.',
      },
    );
  }
  return catalogue;
}
