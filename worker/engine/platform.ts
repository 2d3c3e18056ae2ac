import type { TailFolder } from '../storage/index.ts';

/** What the engine is given instead of reaching for it: time, the event loop, and the browser's storage. */
export type EnginePlatform = {
  /** Milliseconds that never go back. */
  readonly now: () => number;
  readonly setTimer: (run: () => void, ms: number) => () => void;
  /** Resolves in a later task. */
  readonly yieldTask: () => Promise<void>;
  readonly indexedDB: IDBFactory | undefined;
  /** The key ranges of the same implementation. Default: the global ones. */
  readonly keyRange?: typeof IDBKeyRange;
  readonly locks: LockManager | undefined;
  /** Where a log's newest records may go instead of IndexedDB. Default: nowhere. */
  readonly tails?: {
    readonly openFolder: (storeName: string) => Promise<TailFolder>;
    readonly createName: () => string;
    /** Whether nobody can have taken the store over; default: nobody ever can. */
    readonly isLeased?: () => boolean;
  };
  /** Space used and granted, where the browser tells. */
  readonly estimate?: () => Promise<StorageFigures>;
  readonly streams?: {
    readonly CompressionStream: typeof CompressionStream;
    readonly DecompressionStream: typeof DecompressionStream;
  };
};

export type StorageFigures = {
  readonly persisted: boolean | undefined;
  readonly usageBytes: number | undefined;
  readonly quotaBytes: number | undefined;
};
