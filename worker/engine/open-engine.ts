/** From options to an engine: lock, storage, recovery, catalogue, and the indexes that are still to be built. */
import { toLsn } from '../../src/base/ids.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { EngineOptions } from '../../src/protocol/engine-api.ts';
import {
  createMemoryImage,
  createMemoryStorage,
  openIdbStorage,
  type Storage,
  type TailFolder,
  withTail,
} from '../storage/index.ts';
import { holdStoreLock, LOCK_TIMEOUT_MS } from '../tabs/index.ts';
import { recover } from '../transactions/index.ts';
import { createDeflateRaw } from '../wal/index.ts';
import { Engine } from './engine.ts';
import type { EnginePlatform } from './platform.ts';

/** The right to write a store. */
export type StoreHold = {
  /** Gives it up. */
  readonly release: () => void;
  /** It was taken from a writer that may still live: the epoch is then above any that such a writer can have. */
  readonly isStolen: boolean;
  /** Told first of all when the engine can write nothing more: calls that fail of it have not been answered yet. */
  readonly onPoisoned?: (error: StoreError) => void;
};

const ALONE: StoreHold = { release: () => undefined, isStolen: false };

/** `holding`: the store's lock, when somebody else sees to it; what it rejects with is what the opening rejects with. */
export async function openEngine(
  options: EngineOptions,
  platform: EnginePlatform,
  holding: Promise<StoreHold> = holdStoreLock({
    locks: platform.locks,
    name: options.name,
    timeoutMs: LOCK_TIMEOUT_MS,
    setTimer: platform.setTimer,
  }).then((release) => ({ release, isStolen: false })),
): Promise<Engine> {
  // The database and the tail's folder open while the lock is waited for; nothing is read before it is held.
  const opening = openStorage(options, platform);
  opening.catch(() => undefined);
  const folder = options.storage[0] === 'memory' ? undefined : platform.tails?.openFolder(options.name);
  folder?.catch(() => undefined);
  const hold = await holding.catch(async (error) => {
    await opening.then(
      (storage) => storage.close(),
      () => undefined,
    );
    throw error;
  });
  try {
    return await openEngineOn(tailed(await opening, folder, platform), options, platform, hold);
  } catch (error) {
    hold.release();
    throw error;
  }
}

/** With the lock held: a tail belongs to one writer. */
function tailed(storage: Storage, folder: Promise<TailFolder> | undefined, { tails, now }: EnginePlatform): Storage {
  if (tails === undefined || folder === undefined || storage.kind !== 'indexeddb') return storage;
  return withTail(storage, {
    folder,
    createName: tails.createName,
    now,
    isLeased: tails.isLeased,
  });
}

/** An engine on a storage that is open already. For tests and for other homes. */
export async function openEngineOn(
  storage: Storage,
  options: EngineOptions,
  platform: EnginePlatform,
  { release, isStolen, onPoisoned }: StoreHold = ALONE,
): Promise<Engine> {
  const compression = platform.streams === undefined ? undefined : createDeflateRaw(platform.streams);
  try {
    const recovered = await recover({ storage, cacheBytesMax: options.cacheBytesMax, compression });
    const engine = new Engine({
      storage,
      // A writer that wrote nothing yet has the one that follows.
      epoch: recovered.epoch + (isStolen ? 2 : 1),
      recovered,
      options,
      platform,
      nextLsn: toLsn(recovered.lastLsn + 1),
      isStolen,
      release,
      onPoisoned,
    });
    await engine.start();
    return engine;
  } catch (error) {
    await storage.close().catch(() => undefined);
    throw error;
  }
}

/** The first home in the application's order that opens. What is damaged or newer is not passed over. */
async function openStorage({ name, storage: homes }: EngineOptions, platform: EnginePlatform): Promise<Storage> {
  const { indexedDB, setTimer } = platform;
  let failure: unknown;
  for (const home of homes) {
    if (home === 'memory') return createMemoryStorage(createMemoryImage());
    try {
      if (indexedDB === undefined) throw new StoreError('storage/unavailable', 'This environment has no IndexedDB.');
      return await openIdbStorage({
        name,
        indexedDB,
        // Its own default otherwise: only the storage may touch the platform's (P2).
        ...(platform.keyRange === undefined ? {} : { keyRange: platform.keyRange }),
        startTimer: setTimer,
      });
    } catch (error) {
      if (!(error instanceof StoreError) || !error.code.startsWith('storage/')) throw error;
      failure = error;
    }
  }
  throw failure ?? new StoreError('store/invalid-options', 'No storage is named.', { hint: "Name at least 'memory'." });
}
