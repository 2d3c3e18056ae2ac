/** Stores whose engine is the real one, on memory storage in this thread. */
import { afterEach } from 'vitest';
import { type Definitions, openStore, type Store } from '../../src/index.ts';
import { type Engine, openEngineOn } from '../../worker/engine/index.ts';
import { createMemoryImage, createMemoryStorage } from '../../worker/storage/index.ts';
import { nodePlatform } from '../engine/engine-fixture.ts';
import { createThreadWorker } from '../fakes/thread-worker.ts';

const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close().catch(() => {});
});

export async function openRealStore<const C extends Definitions>(
  collections: C,
): Promise<{ readonly store: Store<C>; readonly engine: Engine }> {
  let engine: Engine | undefined;
  const store = await openStore<C>({
    name: 'test',
    collections,
    storage: ['memory'],
    worker: () =>
      createThreadWorker(async (options) => {
        engine = await openEngineOn(createMemoryStorage(createMemoryImage()), options, nodePlatform);
        return engine;
      }) as unknown as Worker,
  });
  opened.push(store);
  return { store, engine: engine! };
}
