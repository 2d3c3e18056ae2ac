/** A sorted list in memory as the log's store, for tests and for relays that need not outlive their process. */
import type { Entry, KeyRange, OrderedStore, StoreView, Write } from './ordered-store.ts';

/** What outlives a store that was closed: opening it again is a restart of the relay. */
export type MemoryHome = { entries: Map<string, Uint8Array>; views: number };

export const createMemoryHome = (): MemoryHome => ({ entries: new Map(), views: 0 });

/** Latin-1 text compares as its bytes do. */
const textOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

export function openMemoryStore(home: MemoryHome = createMemoryHome()): OrderedStore {
  /** What views stand on must not change. Sorted at each read: slow for many entries, and right. */
  const writable = (): Map<string, Uint8Array> => {
    if (home.views > 0) {
      home.entries = new Map(home.entries);
      home.views = 0;
    }
    return home.entries;
  };
  return {
    async write(writes) {
      const entries = writable();
      for (const write of writes) apply(entries, write);
    },
    withView(read) {
      home.views++;
      return read(createView(home.entries));
    },
    last: async (range) => entriesOf(home.entries, range).at(-1),
    async clear(range) {
      const entries = writable();
      for (const [key] of entriesOf(entries, range)) entries.delete(textOf(key));
    },
    approximateBytes: async (range) => entriesOf(home.entries, range).reduce((sum, [, value]) => sum + value.length, 0),
    close: async () => {},
  };
}

function apply(entries: Map<string, Uint8Array>, write: Write): void {
  if (write.type === 'put') entries.set(textOf(write.key), write.value.slice());
  else entries.delete(textOf(write.key));
}

function createView(entries: ReadonlyMap<string, Uint8Array>): StoreView {
  return {
    getMany: async (keys) => keys.map((key) => entries.get(textOf(key))?.slice()),
    async range(range, { bytesMax, countMax }) {
      const all = entriesOf(entries, range).slice(0, countMax);
      let bytes = 0;
      const end = all.findIndex(([, { length }], index) => {
        bytes += length;
        return index > 0 && bytes > bytesMax;
      });
      return end === -1 ? all : all.slice(0, end);
    },
  };
}

function entriesOf(entries: ReadonlyMap<string, Uint8Array>, { from, to }: KeyRange): readonly Entry[] {
  const [first, end] = [textOf(from), textOf(to)];
  const keys = [...entries.keys()].filter((key) => key >= first && key < end).sort();
  return keys.map((key) => [bytesOf(key), entries.get(key)!.slice()]);
}
