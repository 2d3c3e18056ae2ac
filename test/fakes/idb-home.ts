/** A home in IndexedDB under a name of its own, on fake-indexeddb or on a browser's. */
import type { Storage } from '../../worker/storage/index.ts';
import { openIdbStorage, type StartTimer } from '../../worker/storage/index.ts';

/** Real time: only the deadlines of open and destroy use it. */
export const startTestTimer: StartTimer = (callback, ms) => {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
};

let lastHome = 0;

export function createIdbHome(indexedDB: IDBFactory): { readonly name: string; open(): Promise<Storage> } {
  const name = `test-${++lastHome}-${crypto.randomUUID()}`;
  return {
    name,
    open: () => openIdbStorage({ name, indexedDB, keyRange: IDBKeyRange, startTimer: startTestTimer }),
  };
}
