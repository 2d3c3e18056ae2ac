/** Goal: as in idb-faults-suite.ts. Method: that suite in Node; and what only fake-indexeddb can do, a forced close. */
import 'fake-indexeddb/auto';
import { forceCloseDatabase } from 'fake-indexeddb';
import { describe, expect, test } from 'vitest';
import { toLsn } from '../../src/base/ids.ts';
import { openIdbStorage } from '../../worker/storage/index.ts';
import { describeStorage } from '../contracts/storage-contract.ts';
import { createFaultyIdb } from '../fakes/faulty-idb.ts';
import { startTestTimer } from '../fakes/idb-home.ts';
import { describeIdbFaults } from './idb-faults-suite.ts';

describeIdbFaults(indexedDB, { requestFaults: 'all' });

describe('older browsers', () => {
  const idb = createFaultyIdb(indexedDB);
  idb.setFaults({ hidesGetAllRecords: true });
  describeStorage(
    'IndexedDB without getAllRecords',
    () => {
      const name = crypto.randomUUID();
      const open = () =>
        openIdbStorage({ name, indexedDB: idb.factory, keyRange: IDBKeyRange, startTimer: startTestTimer });
      return { open };
    },
    { slowCases: 'skip' },
  );
});

describe('a connection that the browser ends', () => {
  async function openWithHandle() {
    let handle: IDBDatabase | undefined;
    const factory = {
      open: (name: string, version: number) => {
        const request = indexedDB.open(name, version);
        request.addEventListener('success', () => {
          handle = request.result;
        });
        return request;
      },
    } as unknown as IDBFactory;
    const name = crypto.randomUUID();
    const storage = await openIdbStorage({
      name,
      indexedDB: factory,
      keyRange: IDBKeyRange,
      startTimer: startTestTimer,
    });
    return { storage, forceClose: () => forceCloseDatabase(handle as never) };
  }
  test('[B10] between calls', async () => {
    const { storage, forceClose } = await openWithHandle();
    forceClose();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await expect(storage.log.read(toLsn(0), 10)).rejects.toMatchObject({ code: 'storage/closed' });
  });
});
