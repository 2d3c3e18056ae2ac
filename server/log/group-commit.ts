/**
 * Writes of all stores, one flushed write at a time: while one is under way the next gathers. So a flush, which takes
 * a millisecond and more, is shared by whoever came meanwhile, and nobody waits for a timer.
 */
import { StoreError } from '../../src/base/store-error.ts';
import type { OrderedStore, Write } from './ordered-store.ts';

/** One write holds no more, so that the first in it does not wait for ever. A larger task goes by itself. */
const GROUP_BYTES_MAX = 4 * 1024 * 1024;

export type CommitTask = {
  readonly bytes: number;
  readonly writes: readonly Write[];
  /** Called in order, when the write is durable. Must not throw. */
  committed(): void;
  failed(error: Error): void;
};

export class GroupCommit {
  readonly #store: OrderedStore;
  readonly #onGroup: () => void;
  #queue: CommitTask[] = [];
  #pendingBytes = 0;
  #running: Promise<void> | undefined;
  #failure: StoreError | undefined;

  /** `onGroup` is called after each group, when all of its tasks are told. */
  constructor(store: OrderedStore, onGroup: () => void) {
    this.#store = store;
    this.#onGroup = onGroup;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get failure(): StoreError | undefined {
    return this.#failure;
  }

  add(task: CommitTask): void {
    if (this.#failure !== undefined) {
      task.failed(this.#failure);
      return;
    }
    this.#queue.push(task);
    this.#pendingBytes += task.bytes;
    this.#running ??= this.#run();
  }

  /** Waits until nothing is under way. */
  async settle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // What the same turn of the event loop brings joins the first group.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0 && this.#failure === undefined) await this.#writeGroup(this.#takeGroup());
    this.#running = undefined;
  }

  #takeGroup(): readonly CommitTask[] {
    let bytes = 0;
    let count = 0;
    for (const task of this.#queue) {
      if (count > 0 && bytes + task.bytes > GROUP_BYTES_MAX) break;
      bytes += task.bytes;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #writeGroup(group: readonly CommitTask[]): Promise<void> {
    try {
      await this.#store.write(
        group.flatMap(({ writes }) => writes),
        'flushed',
      );
    } catch (cause) {
      this.#fail(group, cause);
      return;
    }
    for (const task of group) {
      this.#pendingBytes -= task.bytes;
      task.committed();
    }
    this.#onGroup();
  }

  /**
   * Nobody knows what of a failed flush is on disk, and asking to flush again may succeed without it. So nothing is
   * acknowledged any more until the log is opened again, which reads what is there (rule R13).
   */
  #fail(group: readonly CommitTask[], cause: unknown): void {
    this.#failure = new StoreError('log/unavailable', 'The relay could not write its log.', {
      cause,
      hint: 'See to the disk and start the relay again. What was acknowledged is stored.',
    });
    const waiting = [...group, ...this.#queue];
    this.#queue = [];
    this.#pendingBytes = 0;
    for (const task of waiting) task.failed(this.#failure);
  }
}
