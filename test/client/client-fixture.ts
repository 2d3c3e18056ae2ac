/** Opens stores on a memory engine in this thread, and closes them after each test. */
import { afterEach } from 'vitest';
import { type Definitions, openStore, type Store, type StoreError } from '../../src/index.ts';
import { MemoryEngine } from '../fakes/memory-engine.ts';
import { createThreadWorker, type ThreadWorker } from '../fakes/thread-worker.ts';

export type TestStore<C extends Definitions> = {
  readonly store: Store<C>;
  readonly engine: MemoryEngine;
  readonly worker: ThreadWorker;
};

const opened: Store[] = [];

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close().catch(() => {});
});

export async function openTestStore<const C extends Definitions>(collections: C): Promise<TestStore<C>> {
  let engine: MemoryEngine | undefined;
  let worker: ThreadWorker | undefined;
  const store = await openStore<C>({
    name: 'test',
    collections,
    storage: ['memory'],
    worker: () => {
      worker = createThreadWorker(async (options) => {
        engine = new MemoryEngine(options);
        return engine;
      });
      return worker as unknown as Worker;
    },
  });
  opened.push(store as unknown as Store);
  return { store, engine: engine!, worker: worker! };
}

/** The error of a promise that must reject with a StoreError. */
export async function refusal(promise: PromiseLike<unknown>): Promise<StoreError> {
  return Promise.resolve(promise).then(
    (value) => {
      throw new Error(`Not refused: ${JSON.stringify(value)}`);
    },
    (error: StoreError) => error,
  );
}

/** What an error tells, as one value to compare. */
export const facts = ({ code, details }: StoreError): unknown => ({ code, ...details });

/** Documents with keys that sort as they were made. */
export const someTasks = (count: number, from = 0): { id: string; title: string; rank: number }[] =>
  Array.from({ length: count }, (_, at) => ({
    id: `task-${String(from + at).padStart(7, '0')}`,
    title: `Title ${from + at}`,
    rank: from + at,
  }));
