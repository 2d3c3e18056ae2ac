/**
 * Decides when the log is taken up into pages, and does it. A checkpoint writes the stored state of all trees with the
 * new log floor in one transaction (B8); only then is the log trimmed and are blobs deleted, both safe to repeat.
 */
import { type Lsn, toBlobId, toLsn } from '../../src/base/ids.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { type CheckpointResult, writeCheckpoint } from '../pages/index.ts';
import type { Storage } from '../storage/index.ts';
import type { Operation } from './commit-format.ts';
import {
  CATALOGUE_FORMAT,
  CATALOGUE_FORMAT_OF_MIGRATION,
  CATALOGUE_FORMAT_OF_SYNC,
  type Catalogue,
  encodeCatalogue,
  type StoreState,
} from './store-state.ts';

/** Log bytes that ask for a checkpoint: bounds recovery, and the memory of pages not yet written. */
export const CHECKPOINT_LOG_BYTES: number = 8 * 1024 * 1024;
/** Frames that ask for a checkpoint: replaying many small frames costs more than their bytes say. */
export const CHECKPOINT_FRAMES = 20_000;
/**
 * Estimated bytes of changed pages that ask for a checkpoint, whatever the log says: random writes touch many pages. They
 * are in memory until then, about twice as large. With half as much, a device that takes over 1,000 changes all over a
 * million rows makes three checkpoints meanwhile, for which its reads wait, and takes a third longer.
 */
export const CHECKPOINT_DIRTY_BYTES: number = 32 * 1024 * 1024;
/** Writers wait when a checkpoint has fallen behind by this factor. */
const HOLD_FACTOR = 2;
/** A pause in writing after which a log of more than IDLE_LOG_BYTES is taken up. */
const IDLE_MS = 1_000;
const IDLE_LOG_BYTES: number = 128 * 1024;

/**
 * Ids in the superblock of what is still to be deleted, of each kind: it has to fit one record. Those beyond are known in
 * memory, and are only forgotten, as waste, when the engine dies while a reader has kept that many waiting.
 */
const PENDING_MAX = 2_000;

export type CheckpointerOptions = {
  readonly state: StoreState;
  readonly storage: Storage;
  readonly generation: number;
  readonly epoch: number;
  readonly storedLsn: number;
  /** Records up to this one stay in the log's store: what an older writer that wakes would append collides with them (T2). */
  readonly fencedLsn: Lsn | undefined;
  readonly logBytes: number;
  readonly logFrames: number;
  /** `manual`: only when asked. */
  readonly mode: 'automatic' | 'manual';
  readonly now: () => number;
  readonly setTimer: (run: () => void, ms: number) => () => void;
  readonly yieldTask: () => Promise<void>;
  /** Writes operations into the log, beside all writes. */
  readonly note: (operations: readonly Operation[]) => Promise<void>;
  readonly hold: () => void;
  readonly release: () => void;
  readonly onFailure: (error: StoreError) => void;
};

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #generation: number;
  #storedLsn: number;
  #running: Promise<CheckpointResult> | undefined;
  #cancelIdle: (() => void) | undefined;
  #storedAt = 0;
  #isClosed = false;
  /** Why none may begin. */
  #end: StoreError | undefined;
  logBytes: number;
  logFrames: number;
  checkpoints = 0;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#generation = options.generation;
    this.#storedLsn = options.storedLsn;
    this.logBytes = options.logBytes;
    this.logFrames = options.logFrames;
  }

  /** A group was stored. */
  noteStored(
    appended: { readonly firstLsn: number; readonly lastLsn: number; readonly bytes: number } | undefined,
  ): void {
    if (appended !== undefined) {
      this.#storedLsn = appended.lastLsn;
      this.logBytes += appended.bytes;
      this.logFrames += appended.lastLsn - appended.firstLsn + 1;
    }
    if (this.#options.mode === 'manual') return;
    if (this.#pressure >= 1) this.#start();
    if (this.#pressure >= HOLD_FACTOR && this.#running !== undefined) this.#options.hold();
    this.#armIdle();
  }

  /** 1 asks for a checkpoint. */
  get #pressure(): number {
    const { dirtyBytes } = this.#options.state.space;
    return Math.max(
      this.logBytes / CHECKPOINT_LOG_BYTES,
      this.logFrames / CHECKPOINT_FRAMES,
      dirtyBytes / CHECKPOINT_DIRTY_BYTES,
    );
  }

  /** One timer, which looks when it fires how long the pause has been: a timer for each write would cost it 10 us. */
  #armIdle(): void {
    this.#storedAt = this.#options.now();
    if (this.#cancelIdle === undefined && this.logBytes >= IDLE_LOG_BYTES) this.#awaitIdle(IDLE_MS);
  }

  #awaitIdle(ms: number): void {
    if (this.#isClosed) return;
    this.#cancelIdle = this.#options.setTimer(() => {
      this.#cancelIdle = undefined;
      if (this.logBytes < IDLE_LOG_BYTES) return;
      const leftMs = this.#storedAt + IDLE_MS - this.#options.now();
      if (leftMs > 0) this.#awaitIdle(leftMs);
      else this.#start();
    }, ms);
  }

  #start(): void {
    if (this.#running !== undefined || this.#isClosed) return;
    this.run().catch((error) => this.#options.onFailure(error));
  }

  /** Takes up all that is stored now. Joins one that is running, and then makes another when more was stored since. */
  async run(): Promise<CheckpointResult> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
    if (this.#end !== undefined) throw this.#end;
    this.#running = this.#write().finally(() => {
      this.#running = undefined;
      this.#options.release();
    });
    return this.#running;
  }

  /**
   * Another has the store, or soon will: no checkpoint begins any more, also none that waits for the running one. It would
   * take up what this tab's page was not answered, which whoever leads next must find in the log (T4).
   */
  stop(why: StoreError): void {
    this.#end ??= why;
    void this.close();
  }

  /** No further checkpoint begins by itself; answers when the running one has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelIdle?.();
    await this.#running?.catch(() => undefined);
  }

  async #write(): Promise<CheckpointResult> {
    const { state, storage } = this.#options;
    const { space, snapshots } = state;
    // Everything up to the first await belongs to one moment: the stored states, their LSN, and what they do not need.
    const floor = this.#storedLsn;
    const logBytes = this.logBytes;
    const logFrames = this.logFrames;
    const generation = this.#generation + 1;
    const trees = state.trees.map((tree) => ({ tree, state: tree.stored }));
    const catalogue = this.#catalogue(floor);
    const { free, pending } = snapshots.take();
    const pendingBlobs = [...pending.blobs, ...free.blobs];
    let result: CheckpointResult;
    // They stand before the new floor, and are needed until their clients have gone on. What is noted while this is
    // written stands behind the floor anyway.
    const answered = state.answered.toOperations();
    try {
      if (answered.length > 0) await this.#options.note(answered);
      result = await writeCheckpoint({
        space,
        store: storage.pages,
        generation,
        trees,
        frees: free.pages,
        superblock: (roots) =>
          encodeCatalogue(
            catalogue({
              roots,
              pendingPages: pending.pages.slice(0, PENDING_MAX),
              pendingBlobs: pendingBlobs.slice(0, PENDING_MAX),
            }),
          ),
        now: this.#options.now,
        yieldTask: this.#options.yieldTask,
      });
    } catch (error) {
      snapshots.giveBack(free);
      throw error instanceof StoreError ? error : new StoreError('storage/failed', String(error), { cause: error });
    }
    this.#generation = generation;
    this.logBytes -= logBytes;
    this.logFrames -= logFrames;
    this.checkpoints += 1;
    try {
      await storage.log.trim(toLsn(floor), this.#options.fencedLsn);
      if (free.blobs.length > 0) {
        space.deletions += 1;
        await storage.blobs.delete(free.blobs.map(toBlobId));
      }
    } catch (error) {
      // The next superblock must name them again, or they would stay for ever.
      snapshots.giveBack({ pages: [], blobs: free.blobs });
      throw error;
    }
    space.trim();
    return result;
  }

  /** The catalogue as of now; roots and pages are filled in when they are known. */
  #catalogue(
    floor: number,
  ): (late: {
    roots: readonly number[];
    pendingPages: readonly number[];
    pendingBlobs: readonly number[];
  }) => Catalogue {
    const { state, epoch } = this.#options;
    const { nextBlob, nextTree, nextCollection } = state;
    const collections = [...state.collections.values()].map(({ id, spec, primary, migration, indexes }) => ({
      id,
      spec,
      tree: primary.id,
      count: primary.stored.count,
      migration,
      indexes: indexes.map((index) => ({
        spec: index.spec,
        tree: index.tree.id,
        count: index.tree.stored.count,
        state: index.state,
        meetsArrays: index.meetsArrays,
      })),
    }));
    return ({ roots, pendingPages, pendingBlobs }) => {
      let at = 0;
      return {
        format: formatOf(collections),
        floor,
        epoch,
        nextPage: state.space.nextPage,
        nextBlob,
        nextTree,
        nextCollection,
        pendingPages,
        pendingBlobs,
        collections: collections.map((collection) => ({
          ...collection,
          root: roots[at++]!,
          indexes: collection.indexes.map((index) => ({ ...index, root: roots[at++]! })),
        })),
      };
    };
  }
}

/** The least that a package must know of to open the store. */
function formatOf(collections: readonly Pick<Catalogue['collections'][number], 'spec' | 'migration'>[]): number {
  if (collections.some(({ spec }) => spec.sync === true)) return CATALOGUE_FORMAT_OF_SYNC;
  return collections.some(({ migration }) => migration) ? CATALOGUE_FORMAT_OF_MIGRATION : CATALOGUE_FORMAT;
}
