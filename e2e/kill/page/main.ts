/** The page that is killed: performs the workload through the public API and tells what was answered. */
import { type Collection, openStore, type Store, StoreError } from 'collection-store';
import { decodeCatalogue } from '../../../worker/transactions/store-state.ts';
import { Model } from '../workload/model.ts';
import { describeOperation, type Operation } from '../workload/operation.ts';
import { createRandom, type Random, seedFor } from '../workload/random.ts';
import { COLLECTION_NAMES, type CollectionName, DEFINITIONS, digestRow, type KillRow } from '../workload/row.ts';
import { Workload } from '../workload/workload.ts';
import { indexProblems } from './index-problems.ts';
import { OBSERVER_CHANNEL } from './observer-channel.ts';
import type { KillPage, RawState, StateReport } from './protocol.ts';

const STORE = 'kill-test';
const DATABASE = `collection-store/${STORE}`;
/** Calls under way at a time; changes during a run. */
const WIDTHS = [1, 2, 8, 64];
const CALLS_PER_WIDTH = 40;

type KillStore = Store<typeof DEFINITIONS>;

let worker: Worker | undefined;
let store: KillStore | undefined;
let rows: Readonly<Record<CollectionName, KillRow[]>> = { items: [], notes: [] };
let running: Promise<number> | undefined;
let isStopping = false;

const tell = (line: string): void => console.log(line);

const observer = new BroadcastChannel(OBSERVER_CHANNEL);
observer.onmessage = ({ data }) => tell(data as string);

const page: KillPage = {
  inspect,
  open,
  start(seed, round, trap) {
    isStopping = false;
    if (trap !== undefined) observer.postMessage(trap);
    running = run(store!, seed, round);
    running.catch((error) => tell(`wrong -1 the workload ended: ${describeError(error)}`));
  },
  async stop() {
    isStopping = true;
    const calls = await running!;
    await store!.close();
    store = undefined;
    return calls;
  },
  terminate() {
    // The old store's calls will never be answered; nobody waits for them.
    worker!.terminate();
    isStopping = true;
    store = undefined;
  },
};
(globalThis as { kill?: KillPage }).kill = page;

async function open(): Promise<StateReport> {
  const from = performance.now();
  const opened = await openStore({
    name: STORE,
    collections: DEFINITIONS,
    worker: () => {
      worker = new Worker(new URL('/kill/worker.js', location.href), { type: 'module' });
      return worker;
    },
  });
  const openMs = performance.now() - from;
  store = opened;
  const { recovery } = await opened.health();
  rows = { items: await opened.items.find(), notes: await opened.notes.find() };
  const problems: string[] = [];
  for (const name of COLLECTION_NAMES) problems.push(...(await indexProblems(opened[name], name, rows[name])));
  const verified = await opened.verify({ repair: false });
  const digests = (all: readonly KillRow[]) => all.map((row) => [row.id, digestRow(row)] as const);
  return {
    recovery,
    rows: { items: digests(rows.items), notes: digests(rows.notes) },
    verified,
    indexProblems: problems,
    openMs,
  };
}

/** Makes calls until it is told to stop, and answers how many. */
async function run(target: KillStore, seed: number, round: string): Promise<number> {
  const model = Model.of(rows);
  const workload = new Workload(createRandom(seed), model, round);
  // Of its own, since the driver does not draw widths.
  const widths = createRandom(seedFor(seed, 1));
  const answers = new Set<Promise<void>>();
  let width = 1;
  let bulk: { readonly answer: Promise<void>; besides: number } | undefined;
  let place = 0;
  const reading = read(target, model, createRandom(seedFor(seed, 2)));
  for (; !isStopping; place++) {
    if (place % CALLS_PER_WIDTH === 0) width = WIDTHS[widths.below(WIDTHS.length)]!;
    const operation = workload.next();
    const answer = perform(target, model, operation, place);
    if (bulk !== undefined) bulk.besides--;
    if (operation.type === 'createMany' && operation.besides > 0) {
      bulk = { answer, besides: operation.besides };
    } else {
      answers.add(answer);
      void answer.finally(() => answers.delete(answer));
    }
    if (bulk?.besides === 0) {
      await bulk.answer;
      bulk = undefined;
    }
    while (answers.size >= width) await Promise.race(answers);
  }
  await bulk?.answer;
  await Promise.all([...answers, reading]);
  return place;
}

/** Reads beside the writes. What they answer depends on the moment; that they answer does not. */
async function read(target: KillStore, model: Model, random: Random): Promise<void> {
  while (!isStopping) {
    const name = COLLECTION_NAMES[random.below(COLLECTION_NAMES.length)]!;
    const { keys } = model[name];
    const group = `g${random.below(12)}`;
    try {
      const some = Array.from({ length: 8 }, () => keys[random.below(keys.length)] ?? 'absent');
      const found = await target[name].getMany(some);
      const wrong = found.findIndex((row, at) => row !== undefined && row.id !== some[at]);
      if (wrong >= 0) tell(`wrong -1 getMany of ${some[wrong]} answers ${found[wrong]!.id}`);
      const rows = await target[name].find({ group }, { limit: 50 });
      if (rows.some((row) => row.group !== group)) tell(`wrong -1 find of group ${group} answers another`);
    } catch (error) {
      if (!isStopping) tell(`wrong -1 reading ${name}: ${describeError(error)}`);
    }
  }
}

/** Makes the call, and compares its answer with the model's. */
async function perform(target: KillStore, model: Model, operation: Operation, place: number): Promise<void> {
  let given = '';
  const onCommitted = ({ durability }: { readonly durability: string }): void => {
    given = durability;
  };
  if (operation.type === 'compact') tell(`compact ${place}`);
  if (operation.type === 'createMany' && operation.besides > 0) tell(`bulk ${place}`);
  const { durability } = operation;
  const answer = call(target, operation, { durability, onCommitted });
  const expected = model.apply(operation);
  const wrong = (what: string): void => tell(`wrong ${place} ${describeOperation(operation)}: ${what}`);
  try {
    const value = await answer;
    if (operation.type === 'compact') return tell(`done ${place}`);
    if (expected.refused !== undefined) return wrong(`answered instead of ${expected.refused}`);
    // Where there was nothing to delete, nothing was committed.
    if (value !== false && given !== durability) return wrong(`${given} was given`);
    if (value !== false) tell(`ack ${place} ${given}`);
    if (toText(value) !== toText(expected.value)) {
      wrong(`answered ${toText(value).slice(0, 200)} instead of ${toText(expected.value).slice(0, 200)}`);
    }
  } catch (error) {
    const code = error instanceof StoreError ? error.code : undefined;
    if (expected.refused !== undefined && code === expected.refused) return;
    wrong(`${describeError(error)}, expected ${expected.refused ?? 'an answer'}`);
  }
}

type WriteOptions = NonNullable<Parameters<Collection<KillRow>['create']>[1]>;

function call(target: KillStore, operation: Operation, options: WriteOptions): Promise<unknown> {
  const collection = target[operation.collection];
  switch (operation.type) {
    case 'create':
    case 'put':
      return collection[operation.type](operation.row, options);
    case 'createMany':
      return collection.createMany(operation.rows, options).then(({ length }) => length);
    case 'update':
      return collection.update(operation.key, operation.changes, options);
    case 'updateMany':
      return collection.updateMany(operation.selector, operation.changes, options);
    case 'delete':
      return collection.delete(operation.key, options);
    case 'deleteMany':
      return collection.deleteMany(operation.selector, options);
    case 'compact':
      return target.compact();
  }
}

const toText = (value: unknown): string =>
  typeof value === 'object' && value !== null ? digestRow(value as KillRow) : String(value);

const describeError = (error: unknown): string =>
  error instanceof StoreError ? `${error.code}: ${error.message}` : String(error);

/** Chromium may refuse its own files for a moment after its former process was killed (F1): opening again helps. */
async function openRaw(triesLeft = 5): Promise<IDBDatabase> {
  try {
    return await settled(indexedDB.open(DATABASE));
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'UnknownError' || triesLeft === 0) throw error;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return openRaw(triesLeft - 1);
  }
}

async function inspect(): Promise<RawState | undefined> {
  const known = await indexedDB.databases();
  if (!known.some(({ name }) => name === DATABASE)) return undefined;
  const database = await openRaw();
  try {
    if (!database.objectStoreNames.contains('pages')) return undefined;
    const transaction = database.transaction(['pages', 'log']);
    const [superblock, keys] = await Promise.all([
      settled(transaction.objectStore('pages').get(0)) as Promise<{ generation: number; bytes: ArrayBuffer }>,
      settled(transaction.objectStore('log').getAllKeys()) as Promise<number[]>,
    ]);
    const floor = superblock === undefined ? 0 : decodeCatalogue(new Uint8Array(superblock.bytes)).floor;
    const below = keys.filter((key) => key <= floor).length;
    const generation = superblock?.generation ?? 0;
    return { generation, floor, logRecords: keys.length - below, logRecordsBelowFloor: below };
  } finally {
    database.close();
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
