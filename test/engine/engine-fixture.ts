/** Engines on memory storage that can be reopened from what they had stored. */
import type { CollectionSpec, IndexSpec } from '../../src/protocol/definition.ts';
import type { EngineOptions } from '../../src/protocol/engine-api.ts';
import { type Engine, type EnginePlatform, openEngineOn } from '../../worker/engine/index.ts';
import { createMemoryImage, createMemoryStorage, type MemoryImage, type Storage } from '../../worker/storage/index.ts';
import { interceptStorage } from '../fakes/intercepted-storage.ts';

export const index = (on: string | readonly string[], more: Partial<IndexSpec> = {}): IndexSpec => {
  const paths = typeof on === 'string' ? [on] : on;
  return {
    name: paths.join('+'),
    on: paths,
    unique: false,
    multi: false,
    sparse: false,
    caseInsensitive: false,
    where: undefined,
    ...more,
  };
};

export const collection = (
  name: string,
  indexes: readonly IndexSpec[] = [],
  more: Partial<CollectionSpec> = {},
): CollectionSpec => ({
  name,
  key: 'id',
  indexes,
  jsonSchema: undefined,
  version: 1,
  ...more,
});

/** Real timers, kept from holding the process open. */
export const nodePlatform: EnginePlatform = {
  now: () => performance.now(),
  setTimer: (run, ms) => {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  yieldTask: () => new Promise((resolve) => setImmediate(resolve)),
  indexedDB: undefined,
  locks: undefined,
  streams: { CompressionStream, DecompressionStream },
};

export const engineOptions = (
  collections: readonly CollectionSpec[],
  more: Partial<EngineOptions> = {},
): EngineOptions => ({
  name: 'test',
  collections,
  durability: 'relaxed',
  storage: ['memory'],
  cacheBytesMax: 32 * 1024 * 1024,
  ...more,
});

export function openOnImage(
  image: MemoryImage,
  collections: readonly CollectionSpec[],
  more: Partial<EngineOptions> = {},
): Promise<Engine> {
  return openEngineOn(createMemoryStorage(image), engineOptions(collections, more), nodePlatform);
}

/** With a cold cache. `reads`: how often the page store was asked for pages, those of opening included. */
export async function openCounting(
  image: MemoryImage,
  collections: readonly CollectionSpec[],
): Promise<{ readonly engine: Engine; readonly reads: () => number }> {
  let reads = 0;
  const storage = interceptStorage(createMemoryStorage(image), (operation, run) => {
    if (operation === 'pages.read') reads += 1;
    return run();
  });
  return { engine: await openOnStorage(storage, collections), reads: () => reads };
}

export function openOnStorage(
  storage: Storage,
  collections: readonly CollectionSpec[],
  more: Partial<EngineOptions> = {},
): Promise<Engine> {
  return openEngineOn(storage, engineOptions(collections, more), nodePlatform);
}

export { createMemoryImage };
