/**
 * Folds the batches of one store into the states of its rows, behind what is acknowledged: nobody waits for it. Rows are
 * in memory only while they are merged. A crash loses at most folds, which are made again from the tail.
 */
import type { Platform } from '../../src/base/platform.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { RowCursor, RowName } from '../../src/protocol/sync/index.ts';
import { foldRow } from '../documents/index.ts';
import type { Batch, RowState, StatePut, StoreLog } from '../log/index.ts';
import type { Metrics, Observe } from '../observe/index.ts';
import { changesOf } from './batch-frames.ts';
import { rowId } from './row-id.ts';

/** Several edits of one row, as typing makes them, are merged at once when they are folded together. */
const FOLD_DELAY_MS = 200;
const RETRY_MS = 5_000;
/**
 * Of batches in one fold. A fold writes the whole states of its rows again, so behind one that read much comes one that
 * takes as much: a backlog then costs what it and its rows weigh, not their product. The bound is for the memory.
 */
const FOLD_BYTES_MIN = 512 * 1024;
const FOLD_BYTES_MAX: number = 8 * 1024 * 1024;
/** What a batch in memory takes beside its bytes. */
const BATCH_OVERHEAD_BYTES = 256;
/** Whoever waits for a fold gives up after that. */
const REACH_MS_MAX = 20_000;
/** Rows between two writes. */
const FOLD_ROWS_MAX = 500;
/** The event loop is given back at least so often. */
const SLICE_MS = 8;
/** Folds of the least size between two looks at the size of the tail. */
const TIDY_EVERY = 64;
/** A writer is known for that long after its last batch. */
const WRITER_LIFETIME_MS: number = 30 * 24 * 60 * 60 * 1000;
const FORGET_EVERY_MS: number = 60 * 60 * 1000;

type RowWork = RowName & {
  at: RowCursor;
  readonly updates: { readonly sequence: number; readonly update: Uint8Array }[];
};

export type FolderParts = {
  readonly log: StoreLog;
  readonly platform: Platform;
  readonly metrics: Metrics;
  readonly observe: Observe;
  readonly tailBytesMax: number;
  /** Told of each state that was written. */
  readonly onFolded: (row: RowName, readBytes: number) => void;
};

export class Folder {
  readonly #parts: FolderParts;
  #running: Promise<void> | undefined;
  #stopTimer: (() => void) | undefined;
  #isStopped = false;
  /** Folds since the tail was looked at. A large one counts as many. */
  #foldCount = 0;
  #foldBytes = FOLD_BYTES_MIN;
  #forgottenAtMs: number;
  readonly #waiting = new Set<() => void>();

  constructor(parts: FolderParts) {
    this.#parts = parts;
    this.#forgottenAtMs = parts.platform.now();
  }

  /** There is something to fold, now or later. */
  wake(delayMs: number = FOLD_DELAY_MS): void {
    if (this.#isStopped || this.#stopTimer !== undefined || this.#running !== undefined) return;
    this.#stopTimer = this.#parts.platform.setTimer(() => {
      this.#stopTimer = undefined;
      this.#running = this.#run();
    }, delayMs);
  }

  /** Resolves in the turn in which a batch is folded: the next fold has written nothing yet. */
  reached(sequence: number): Promise<void> {
    const { log, platform } = this.#parts;
    return new Promise((resolve, reject) => {
      const stopTimer = platform.setTimer(() => {
        this.#waiting.delete(look);
        const details = { store: log.name, sequence, folded: log.folded };
        reject(new StoreError('log/unavailable', `Batch ${sequence} is not folded.`, { details }));
      }, REACH_MS_MAX);
      const look = (): void => {
        if (log.folded < sequence && !this.#isStopped) return;
        this.#waiting.delete(look);
        stopTimer();
        resolve();
      };
      this.#waiting.add(look);
      look();
      this.wake(0);
    });
  }

  /** Folds all that is there now, for a caller who waits. */
  async settle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    await this.#foldAll();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    for (const look of this.#waiting) look();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { observe, log } = this.#parts;
    let delayMs = FOLD_DELAY_MS;
    try {
      await this.#foldAll();
    } catch (error) {
      // Batches stay where they are: whoever pulls is served, only rows are as old as the last fold.
      observe({ event: 'fold-failed', store: log.name, reason: String(error) });
      delayMs = RETRY_MS;
    }
    this.#running = undefined;
    if (log.folded < log.head) this.wake(delayMs);
  }

  async #foldAll(): Promise<void> {
    const { log } = this.#parts;
    while (log.folded < log.head && !this.#isStopped) {
      const { rows, through, bytes } = await this.#gather();
      const readBytes = await this.#fold(rows, through);
      for (const look of this.#waiting) look();
      this.#foldBytes = Math.min(Math.max(readBytes, FOLD_BYTES_MIN), FOLD_BYTES_MAX);
      this.#foldCount += Math.ceil(bytes / FOLD_BYTES_MIN);
      if (this.#foldCount < TIDY_EVERY) continue;
      this.#foldCount = 0;
      await this.#tidy();
    }
  }

  /** Reads in pieces: between two of them the event loop turns. */
  async #gather(): Promise<{ readonly rows: readonly RowWork[]; readonly through: number; readonly bytes: number }> {
    const { log } = this.#parts;
    const rows = new Map<string, RowWork>();
    let through = log.folded;
    let bytes = 0;
    while (through < log.head && bytes < this.#foldBytes) {
      const batches = await log.read(through, FOLD_BYTES_MIN);
      addWork(rows, batches);
      for (const { body } of batches) bytes += body.length + BATCH_OVERHEAD_BYTES;
      through = batches.at(-1)!.sequence;
    }
    return { rows: [...rows.values()], through, bytes };
  }

  /** Answers how many bytes the rows had before. */
  async #fold(rows: readonly RowWork[], through: number): Promise<number> {
    const { log } = this.#parts;
    let readBytes = 0;
    // The mark moves with the last rows: states ahead of it are skipped or merged again, which changes nothing.
    for (let from = 0; from < rows.length; from += FOLD_ROWS_MAX) {
      const isLast = from + FOLD_ROWS_MAX >= rows.length;
      readBytes += await this.#foldRows(rows.slice(from, from + FOLD_ROWS_MAX), isLast ? through : log.folded);
    }
    if (rows.length === 0) await log.putStates([], through);
    return readBytes;
  }

  async #foldRows(rows: readonly RowWork[], through: number): Promise<number> {
    const { log, platform, metrics, onFolded } = this.#parts;
    const states = await log.states(rows);
    const puts: StatePut[] = [];
    let sliceMs = platform.now();
    for (const [index, row] of rows.entries()) {
      const before = states[index];
      const updates = row.updates.filter(({ sequence }) => sequence > (before?.at.sequence ?? 0));
      if (updates.length === 0) continue;
      const folded = foldRow(
        before?.state,
        updates.map(({ update }) => update),
      );
      for (const refused of folded.refused) this.#quarantine(row, updates[refused]!.sequence);
      const { collection, key, at } = row;
      const { state, projection } = folded;
      puts.push({ collection, key, at, state, projection, expectedSequence: before?.at.sequence ?? 0 });
      if (platform.now() - sliceMs < SLICE_MS) continue;
      await platform.yieldTask();
      sliceMs = platform.now();
    }
    await log.putStates(puts, through);
    metrics.add('rows_folded_total', puts.length);
    for (const put of puts) onFolded(put, put.state.length);
    return states.reduce((bytes, before) => bytes + (before === undefined ? 0 : bytesOf(before)), 0);
  }

  #quarantine(row: RowName, sequence: number): void {
    const { log, metrics, observe } = this.#parts;
    metrics.add('updates_quarantined_total', 1);
    observe({ event: 'update-quarantined', store: log.name, row: rowId(row), sequence });
  }

  async #tidy(): Promise<void> {
    const { log, tailBytesMax, platform } = this.#parts;
    // Half of the tail goes, so that trimming is rare; what is left serves whoever was away for a while.
    if ((await log.tailBytes()) > tailBytesMax) await log.trim(Math.floor((log.floor + log.folded) / 2));
    if (platform.now() - this.#forgottenAtMs < FORGET_EVERY_MS) return;
    this.#forgottenAtMs = platform.now();
    await log.forgetWriters(platform.wallClock() - WRITER_LIFETIME_MS);
  }
}

const bytesOf = ({ state, projection }: RowState): number => state.length + (projection?.length ?? 0);

function addWork(rows: Map<string, RowWork>, batches: readonly Batch[]): void {
  for (const batch of batches) {
    for (const [ordinal, { collection, key, update }] of changesOf(batch).entries()) {
      const id = rowId({ collection, key });
      const at = { sequence: batch.sequence, ordinal };
      const row = rows.get(id) ?? { collection, key, at, updates: [] };
      row.at = at;
      row.updates.push({ sequence: batch.sequence, update });
      rows.set(id, row);
    }
  }
}
