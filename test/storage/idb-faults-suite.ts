/**
 * Goal: whatever IndexedDB does wrong, a write is stored whole or not at all, and its caller is told which (B1, B6, B10).
 * Method: real storages over a factory that injects each failure shape seen in the field; state is compared after a
 * reopen. Runs in Node and in browsers.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { toBlobId, toLsn, toPageId } from '../../src/base/ids.ts';
import { openIdbStorage, type Storage } from '../../worker/storage/index.ts';
import { createFaultyIdb, type FaultyIdb } from '../fakes/faulty-idb.ts';
import { startTestTimer } from '../fakes/idb-home.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const record = (lsn: number) => ({ lsn: toLsn(lsn), bytes: bytes(lsn, lsn) });
const LARGE = new Uint8Array(100_000).fill(7);

const WRITES: readonly (readonly [string, (storage: Storage) => Promise<unknown>])[] = [
  ['append of one record', ({ log }) => log.append({ records: [record(3)], blobs: [], durability: 'relaxed' })],
  [
    'append of three records',
    ({ log }) => log.append({ records: [3, 4, 5].map(record), blobs: [], durability: 'strict' }),
  ],
  [
    'append with a blob',
    ({ log }) =>
      log.append({ records: [record(3)], blobs: [{ id: toBlobId(2), bytes: LARGE }], durability: 'relaxed' }),
  ],
  ['trim', ({ log }) => log.trim(toLsn(1))],
  ['quarantine', ({ log }) => log.quarantine(toLsn(0))],
  [
    'checkpoint',
    ({ pages }) =>
      pages.commit({
        writes: [3, 4].map((id) => ({ id: toPageId(id), bytes: bytes(id) })),
        frees: [toPageId(1)],
        superblock: { generation: 2, bytes: bytes(2) },
      }),
  ],
  ['deletion of a blob', ({ blobs }) => blobs.delete([toBlobId(1)])],
  ['meta.put', ({ meta }) => meta.put('name', 'new')],
  ['meta.delete', ({ meta }) => meta.delete('name')],
];

const READS: readonly (readonly [string, (storage: Storage) => Promise<unknown>])[] = [
  ['log.read', ({ log }) => log.read(toLsn(0), 10)],
  ['readSuperblock', ({ pages }) => pages.readSuperblock()],
  ['pages.read', ({ pages }) => pages.read([toPageId(1), toPageId(2)])],
  ['pages.ids', ({ pages }) => pages.ids()],
  ['blobs.read', ({ blobs }) => blobs.read(toBlobId(1))],
  ['blobs.ids', ({ blobs }) => blobs.ids()],
  ['meta.get', ({ meta }) => meta.get('name')],
  ['meta.keys', ({ meta }) => meta.keys('')],
  ['usage', (storage) => storage.usage()],
];

const unknown = (message: string): DOMException => new DOMException(message, 'UnknownError');

export type IdbFaultsOptions = {
  /** Browsers take seconds for all: they run the shapes that they produce themselves. */
  readonly requestFaults: 'all' | 'events that happen once';
};

export function describeIdbFaults(indexedDB: IDBFactory, { requestFaults }: IdbFaultsOptions): void {
  let idb: FaultyIdb;
  let name: string;
  const open = (options: { openTimeoutMs?: number } = {}): Promise<Storage> =>
    openIdbStorage({ name, indexedDB: idb.factory, keyRange: IDBKeyRange, startTimer: startTestTimer, ...options });

  /** A store with something of everything, closed. */
  async function prepare(): Promise<void> {
    const storage = await open();
    await storage.log.append({
      records: [1, 2].map(record),
      blobs: [{ id: toBlobId(1), bytes: LARGE }],
      durability: 'strict',
    });
    await storage.pages.commit({
      writes: [1, 2].map((id) => ({ id: toPageId(id), bytes: bytes(id) })),
      frees: [],
      superblock: { generation: 1, bytes: bytes(1) },
    });
    await storage.meta.put('name', 'old');
    await storage.close();
  }

  /** Everything stored, read through another connection. */
  async function state(): Promise<unknown> {
    const storage = await open();
    const { log, pages, blobs, meta } = storage;
    const ids = await pages.ids();
    const keys = await meta.keys('');
    const result = {
      log: (await log.read(toLsn(0), 100)).map(({ lsn, bytes }) => [lsn, ...bytes]),
      superblock: (await pages.readSuperblock())?.generation,
      pages: (await pages.read(ids)).map((page, index) => [ids[index], ...(page ?? [])]),
      blobs: await blobs.ids(),
      meta: keys,
      name: await meta.get('name'),
    };
    await storage.close();
    return result;
  }

  /** The state after the operation, without any fault, on a copy of the prepared store. */
  async function stateAfter(run: (storage: Storage) => Promise<unknown>): Promise<unknown> {
    const kept = name;
    name = `${kept}-reference`;
    await prepare();
    const storage = await open();
    await run(storage);
    await storage.close();
    const result = await state();
    name = kept;
    return result;
  }

  beforeEach(async () => {
    idb = createFaultyIdb(indexedDB);
    name = `faults-${crypto.randomUUID()}`;
    await prepare();
  });

  describe('commit', () => {
    test.each(WRITES)('[B1] %s: every request succeeds, then the transaction aborts', async (_, run) => {
      const before = await state();
      const storage = await open();
      idb.setFaults({ commit: { mode: 'readwrite', error: null, times: 1 } });
      await expect(run(storage)).rejects.toMatchObject({ code: 'storage/failed', details: { name: 'AbortError' } });
      expect(await state()).toEqual(before);
      await run(storage);
      await storage.close();
      expect(await state()).toEqual(await stateAfter(run));
    });

    test.each([
      ['QuotaExceededError', 'storage/quota'],
      ['UnknownError', 'storage/outcome-unknown'],
      ['TimeoutError', 'storage/outcome-unknown'],
    ])('[B1] a commit that fails with %s is %s', async (errorName, code) => {
      const storage = await open();
      for (const [, run] of WRITES) {
        idb.setFaults({ commit: { mode: 'readwrite', error: new DOMException('no', errorName), times: 1 } });
        await expect(run(storage)).rejects.toMatchObject({ code });
      }
      await storage.close();
    });

    test('[B2] the durability asked for reaches the transaction, over the stores needed and no others', async () => {
      const storage = await open();
      for (const durability of ['strict', 'relaxed'] as const) {
        const lsn = durability === 'strict' ? 10 : 11;
        idb.setFaults({});
        await storage.log.append({ records: [record(lsn)], blobs: [], durability });
        expect(idb.transactions.at(-1)).toEqual({ stores: ['log'], mode: 'readwrite', durability });
        const blob = { id: toBlobId(lsn), bytes: LARGE };
        await storage.log.append({ records: [record(lsn + 10)], blobs: [blob], durability });
        expect(idb.transactions.at(-1)).toEqual({ stores: ['log', 'blobs'], mode: 'readwrite', durability });
      }
      await WRITES.find(([title]) => title === 'checkpoint')![1](storage);
      expect(idb.transactions.at(-1)).toEqual({ stores: ['pages'], mode: 'readwrite', durability: 'strict' });
      await storage.close();
    });
  });

  describe('requests', () => {
    for (const how of ['event', 'throws'] as const) {
      for (const lasts of ['once', 'persistent'] as const) {
        if (requestFaults !== 'all' && (how !== 'event' || lasts !== 'once')) continue;
        test.each(WRITES)(`[B6] %s: each request fails in turn (${how}, ${lasts})`, async (_, run) => {
          const before = await state();
          for (let number = 1; ; number++) {
            const storage = await open();
            idb.setFaults({ request: { number, error: unknown('Internal error.'), how, lasts } });
            const outcome = await run(storage).then(
              () => 'done',
              (error: { code: string }) => error.code,
            );
            const made = idb.requests;
            idb.setFaults({});
            await storage.close();
            if (outcome === 'done') {
              expect(made).toBeLessThan(number);
              break;
            }
            expect(outcome, `request ${number}`).toBe('storage/failed');
            expect(await state(), `request ${number}`).toEqual(before);
          }
          expect(await state()).toEqual(await stateAfter(run));
        });
      }
    }

    test.each(WRITES)('[B6] %s: a full disk at each request', async (_, run) => {
      const before = await state();
      const storage = await open();
      const error = new DOMException('Full.', 'QuotaExceededError');
      idb.setFaults({ request: { number: 1, error, how: 'event', lasts: 'once' } });
      await expect(run(storage)).rejects.toMatchObject({ code: 'storage/quota' });
      expect(await state()).toEqual(before);
      await storage.close();
    });

    test.each(READS)('[B10] %s: a failed load is an error, twice, and then the data', async (_, run) => {
      const storage = await open();
      const error = unknown('Attempt to get all index records from database without an in-progress transaction');
      for (const how of ['event', 'throws'] as const) {
        idb.setFaults({ request: { number: 1, error, how, lasts: 'once' } });
        await expect(run(storage)).rejects.toMatchObject({ code: 'storage/failed', details: { name: 'UnknownError' } });
      }
      idb.setFaults({});
      const reference = createReference(await open());
      expect(await run(storage)).toEqual(await reference(run));
      await storage.close();
    });
  });

  describe('connection', () => {
    test.each([...WRITES, ...READS])('[B10] %s: the connection is closing (F4)', async (_, run) => {
      const before = await state();
      const storage = await open();
      idb.setFaults({ begin: new DOMException('The database connection is closing.', 'InvalidStateError') });
      await expect(run(storage)).rejects.toMatchObject({ code: 'storage/closed' });
      idb.setFaults({});
      // The handle is dead even if the browser should have changed its mind.
      await expect(run(storage)).rejects.toMatchObject({ code: 'storage/closed' });
      expect(await state()).toEqual(before);
    });

    const DEAD = new DOMException('The database connection is closing.', 'InvalidStateError');

    test.each(WRITES)(
      '[B1] %s: the connection ends during the commit, and nobody knows the outcome',
      async (_, run) => {
        const storage = await open();
        idb.setFaults({ commit: { mode: 'readwrite', error: null, times: 1 } });
        const written = run(storage);
        idb.setFaults({ begin: DEAD });
        await expect(written).rejects.toMatchObject({ code: 'storage/outcome-unknown' });
        await expect(run(storage)).rejects.toMatchObject({ code: 'storage/closed' });
      },
    );

    test.each(READS.slice(0, -1))('[B10] %s: the connection ends meanwhile', async (_, run) => {
      const storage = await open();
      idb.setFaults({
        request: { number: 1, error: new DOMException('gone', 'AbortError'), how: 'event', lasts: 'once' },
      });
      const read = run(storage);
      idb.setFaults({ begin: DEAD });
      await expect(read).rejects.toMatchObject({ code: 'storage/closed' });
    });

    test('[B3] the native version is 1, whoever opens, and nobody is asked to let go', async () => {
      const first = await open();
      const second = await open();
      await first.meta.put('schema', { version: 1 });
      await second.meta.put('schema', { version: 2 });
      expect(await first.meta.get('schema')).toEqual({ version: 2 });
      expect(new Set(idb.openedVersions)).toEqual(new Set([1]));
      expect(idb.versionChanges).toBe(0);
      await first.close();
      await second.close();
    });

    test('a deletion elsewhere closes this connection, and later calls say so (F11)', async () => {
      const storage = await open();
      await (await open()).destroy();
      await expect(storage.meta.get('name')).rejects.toMatchObject({ code: 'storage/closed' });
      expect(await state()).toMatchObject({ log: [], superblock: undefined, meta: [] });
    });
  });

  describe('open', () => {
    const OPEN_FAILURES: readonly (readonly [string, string])[] = [
      ['UnknownError', 'storage/open-failed'],
      ['AbortError', 'storage/open-failed'],
      ['InvalidStateError', 'storage/open-failed'],
      ['SecurityError', 'storage/open-failed'],
      ['QuotaExceededError', 'storage/quota'],
      ['VersionError', 'store/newer-version'],
    ];
    for (const how of ['event', 'throws'] as const) {
      test.each(OPEN_FAILURES)(
        `[B10] %s is %s (${how}), with a hint, and the next open finds all`,
        async (errorName, code) => {
          const before = await state();
          idb.setFaults({ open: { error: new DOMException('no', errorName), how, times: 1 } });
          const error = await open().catch((caught: unknown) => caught);
          expect(error).toMatchObject({ code, hint: expect.any(String) as string });
          expect(await state()).toEqual(before);
        },
      );
    }

    test('[B3] a database of a newer version is left as it is', async () => {
      name = `newer-${crypto.randomUUID()}`;
      const newer = await openNative(indexedDB, {
        name: `collection-store/${name}`,
        version: 7,
        stores: ['log', 'future'],
      });
      newer.close();
      await expect(open()).rejects.toMatchObject({ code: 'store/newer-version' });
      const again = await openNative(indexedDB, { name: `collection-store/${name}`, version: 7, stores: [] });
      expect([...again.objectStoreNames]).toEqual(['future', 'log']);
      again.close();
    });

    test('a database without our object stores is damaged and left as it is', async () => {
      name = `foreign-${crypto.randomUUID()}`;
      const foreign = await openNative(indexedDB, {
        name: `collection-store/${name}`,
        version: 1,
        stores: ['log', 'pages'],
      });
      foreign.close();
      await expect(open()).rejects.toMatchObject({ code: 'store/damaged', details: { missing: ['blobs', 'meta'] } });
      const again = await openNative(indexedDB, { name: `collection-store/${name}`, version: 1, stores: [] });
      expect([...again.objectStoreNames]).toEqual(['log', 'pages']);
      again.close();
    });

    test('a browser that never answers is an error after the deadline (F8)', async () => {
      const silent = { open: () => Object.create(IDBOpenDBRequest.prototype, SILENT_REQUEST) as IDBOpenDBRequest };
      const opening = openIdbStorage({
        name,
        indexedDB: silent as unknown as IDBFactory,
        keyRange: IDBKeyRange,
        startTimer: startTestTimer,
        openTimeoutMs: 20,
      });
      await expect(opening).rejects.toMatchObject({ code: 'storage/open-timeout' });
    });

    test('a deletion that another tab blocks is an error after the deadline (F11)', async () => {
      const stubborn = await openNative(indexedDB, { name: `collection-store/${name}`, version: 1, stores: [] });
      const storage = await open({ openTimeoutMs: 50 });
      await expect(storage.destroy()).rejects.toMatchObject({ code: 'storage/blocked' });
      stubborn.close();
    });
  });

  describe('damage', () => {
    /** Changes the database behind the storage's back. */
    async function damage(change: (transaction: IDBTransaction) => void): Promise<void> {
      const database = await openNative(indexedDB, { name: `collection-store/${name}`, version: 1, stores: [] });
      await new Promise<void>((resolve, reject) => {
        const transaction = database.transaction(['log', 'pages', 'blobs', 'meta'], 'readwrite');
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error);
        change(transaction);
      });
      database.close();
    }

    test.each([
      ['the length', 0],
      ['the first chunk', 1],
      ['a chunk in the middle', 2],
      ['the last chunk', 3],
    ])('[B12] a value that lacks %s is damaged, never shorter', async (_, chunk) => {
      await damage((transaction) => transaction.objectStore('blobs').delete([1, chunk]));
      const storage = await open();
      await expect(storage.blobs.read(toBlobId(1))).rejects.toMatchObject({ code: 'storage/damaged' });
      await storage.close();
    });

    test.each([
      [
        'a surplus chunk',
        (transaction: IDBTransaction) => transaction.objectStore('blobs').add(new ArrayBuffer(1), [1, 4]),
      ],
      ['text for a chunk', (transaction: IDBTransaction) => transaction.objectStore('blobs').put('text', [1, 1])],
      ['an absurd length', (transaction: IDBTransaction) => transaction.objectStore('blobs').put(2 ** 50, [1, 0])],
      ['a length below zero', (transaction: IDBTransaction) => transaction.objectStore('blobs').put(-1, [1, 0])],
    ])('[B12] a value with %s is damaged', async (_, change) => {
      await damage((transaction) => void change(transaction));
      const storage = await open();
      await expect(storage.blobs.read(toBlobId(1))).rejects.toMatchObject({ code: 'storage/damaged' });
      await storage.close();
    });

    test('[B10] a page or superblock that is not binary is damaged, never absent', async () => {
      await damage((transaction) => {
        transaction.objectStore('pages').put('text', 1);
        transaction.objectStore('pages').put({ generation: 1, bytes: null }, 0);
      });
      const storage = await open();
      await expect(storage.pages.read([toPageId(2), toPageId(1)])).rejects.toMatchObject({ code: 'storage/damaged' });
      await expect(storage.pages.readSuperblock()).rejects.toMatchObject({ code: 'storage/damaged' });
      await storage.close();
    });

    test('[B7] a log record that is not binary reads as empty, and quarantine keeps it as it is', async () => {
      await damage((transaction) => transaction.objectStore('log').put({ odd: true }, 2));
      const storage = await open();
      expect((await storage.log.read(toLsn(0), 10)).map(({ bytes }) => bytes.byteLength)).toEqual([2, 0]);
      await storage.log.quarantine(toLsn(1));
      const [key] = await storage.meta.keys('quarantine/');
      expect(await storage.meta.get(key!)).toEqual({ odd: true });
      await storage.close();
    });
  });
}

/** Runs a read on a storage without faults, then closes it. */
function createReference(storage: Storage): (run: (storage: Storage) => Promise<unknown>) => Promise<unknown> {
  return async (run) => {
    const result = await run(storage);
    await storage.close();
    return result;
  };
}

const SILENT_REQUEST: PropertyDescriptorMap = {
  addEventListener: { value: () => {} },
  removeEventListener: { value: () => {} },
  onupgradeneeded: { value: null, writable: true },
  onblocked: { value: null, writable: true },
};

type NativeOptions = { readonly name: string; readonly version: number; readonly stores: readonly string[] };

function openNative(indexedDB: IDBFactory, { name, version, stores }: NativeOptions): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, version);
    request.onupgradeneeded = () => {
      for (const store of stores) request.result.createObjectStore(store);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
