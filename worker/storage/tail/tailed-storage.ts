/** A storage whose log has a tail; everything else is the storage's own. */
import type { Storage, StorageUsage } from '../storage.ts';
import type { TailFolder } from '../tail-folder.ts';
import { TailedLog } from './tailed-log.ts';

export type TailOptions = {
  /** Rejects where the browser has no such files. */
  readonly folder: Promise<TailFolder>;
  /** A name that no tail has had. */
  readonly createName: () => string;
  readonly now: () => number;
  /** See `TailedLogOptions`. */
  readonly isLeased?: (() => boolean) | undefined;
};

/** To be called with the store's lock held: it begins to read the tail of the writer before. */
export function withTail(storage: Storage, options: TailOptions): Storage {
  const log = new TailedLog({ ...options, store: storage.log, meta: storage.meta });
  const close = async (): Promise<void> => {
    await log.close().catch(() => undefined);
    await storage.close();
  };
  return {
    ...storage,
    log,
    tail: () => (log.hasTail ? 'used' : log.isTailMissing ? 'missing' : 'unused'),
    usage: async () => addWaiting(await storage.usage(), log.waiting),
    close,
    destroy: async () => {
      await log.close().catch(() => undefined);
      await storage.destroy();
      await log.destroy();
    },
  };
}

function addWaiting(usage: StorageUsage, { records, bytes }: TailedLog['waiting']): StorageUsage {
  return { ...usage, logRecords: usage.logRecords + records, logBytes: usage.logBytes + bytes };
}
