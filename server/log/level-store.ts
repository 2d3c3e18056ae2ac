/** LevelDB as the log's store. The only file that imports classic-level. */
import { ClassicLevel } from 'classic-level';
import { StoreError } from '../../src/base/store-error.ts';
import type { Entry, OrderedStore, StoreView, Write } from './ordered-store.ts';

/** Entries that one call into LevelDB brings: enough to pay for the change of threads, few enough for the memory. */
const ENTRIES_AT_ONCE = 256;
/** Of memory for recent writes; LevelDB has two of them. */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;
/**
 * Of blocks that are read. Small: files are mapped, so the operating system keeps them anyway, and a larger cache saved no
 * time; but it fills with the number of stored rows, and malloc made 100 MB of 32 MiB.
 */
const CACHE_BYTES = 2 * 1024 * 1024;

type Database = ClassicLevel<Uint8Array, Uint8Array>;
type Entries = { nextv(count: number): Promise<Entry[]> };

/** Opens the database in a folder, which is made when it is missing. One process at a time holds it. */
export async function openLevelStore(folder: string): Promise<OrderedStore> {
  const db: Database = new ClassicLevel(folder, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    writeBufferSize: WRITE_BUFFER_BYTES,
    cacheSize: CACHE_BYTES,
  });
  try {
    await db.open();
  } catch (cause) {
    throw new StoreError('log/unavailable', `The log in ${folder} cannot be opened.`, {
      cause,
      details: { folder, reason: reasonOf(cause) },
      hint: 'Another relay may hold it, or the folder cannot be written.',
    });
  }
  return {
    write: (writes, durability) => named(() => db.batch(writes as Write[], { sync: durability === 'flushed' })),
    withView: (read) =>
      named(async () => {
        const snapshot = db.snapshot();
        try {
          return await read(createView(db, snapshot));
        } finally {
          await snapshot.close();
        }
      }),
    last: ({ from, to }) =>
      named(async () => {
        const iterator = db.iterator({ gte: from, lt: to, reverse: true, limit: 1 });
        const [entry] = await iterator.all();
        return entry;
      }),
    clear: ({ from, to }) => named(() => db.clear({ gte: from, lt: to })),
    approximateBytes: ({ from, to }) => named(() => db.approximateSize(from, to)),
    close: () => db.close(),
  };
}

/** Errors of LevelDB by our name. It also rejects what is asked while it closes. */
async function named<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (!isLevelError(cause)) throw cause;
    throw new StoreError('log/unavailable', 'LevelDB failed.', { cause, details: { reason: reasonOf(cause) } });
  }
}

const isLevelError = (error: unknown): boolean =>
  error instanceof Error && String((error as { code?: unknown }).code ?? '').startsWith('LEVEL_');

function createView(db: Database, snapshot: ReturnType<Database['snapshot']>): StoreView {
  return {
    getMany: (keys) => db.getMany(keys as Uint8Array[], { snapshot }),
    async range({ from, to }, limits) {
      const iterator = db.iterator({ gte: from, lt: to, limit: limits.countMax, snapshot });
      try {
        return await readEntries(iterator, limits.bytesMax);
      } finally {
        await iterator.close();
      }
    },
  };
}

async function readEntries(iterator: Entries, bytesMax: number): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  let bytes = 0;
  // Few at first: most pages are small, and what is read beyond `bytesMax` is read for nothing.
  for (let count = 16; ; count = ENTRIES_AT_ONCE) {
    const next = await iterator.nextv(count);
    for (const entry of next) {
      if (entries.length > 0 && bytes + entry[1].length > bytesMax) return entries;
      entries.push(entry);
      bytes += entry[1].length;
    }
    // LevelDB brings fewer than that when they have many bytes: only none is the end.
    if (next.length === 0) return entries;
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return String(cause);
}
