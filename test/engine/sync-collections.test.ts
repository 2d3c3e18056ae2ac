/**
 * Goal: what a synchronised collection is besides its marks: remembered, enrolled with the rows it had, hidden where it is
 * the engine's own, and counted as pending. Method: stories on an engine that is reopened, abandoned and asked over ports.
 */
import { describe, expect, test } from 'vitest';
import type { Key, Row } from '../../src/base/row.ts';
import { ERROR, type ServerMessage } from '../../src/protocol/messages.ts';
import {
  type ChangesRow,
  HIDDEN_COLLECTIONS,
  type PendingNews,
  SYNC_CHANGES,
  SYNC_META,
  SYNC_OUTBOX,
} from '../../src/protocol/sync-worker.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { PortServer } from '../../worker/engine/port-server.ts';
import { copyMemoryImage, createMemoryStorage, type MemoryImage } from '../../worker/storage/index.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { collection, createMemoryImage, openOnImage, openOnStorage } from './engine-fixture.ts';
import { codeOf, drain, verbsOf } from './engine-verbs.ts';
import { createHeldStorage, turn } from './held-storage.ts';

const PLAIN = [collection('items')];
const SYNCED = [collection('items', [], { sync: true })];
const OFF = [collection('items', [], { sync: false })];
const ROWS = Array.from({ length: 4_500 }, (_, at): Row => ({ id: at, n: at }));

const marksOf = async (engine: Engine): Promise<readonly ChangesRow[]> => {
  const all = { selector: {}, sort: [['id', 1]] as const, limit: undefined, skip: 0 };
  return (await drain(engine.find(SYNC_CHANGES, all), 100)) as unknown as readonly ChangesRow[];
};

const namedIn = (marks: readonly ChangesRow[]): readonly Key[] =>
  marks.flatMap(({ rows }) => rows.map(([, key]) => key));

const hasEnrolled = async (engine: Engine): Promise<boolean> =>
  (await verbsOf(engine, SYNC_META).get('enrol:items')) === undefined;

async function enrolled(engine: Engine): Promise<void> {
  for (let turns = 0; turns < 10_000; turns += 1) {
    if (await hasEnrolled(engine)) return;
    await turn();
  }
  throw new Error('Enrolment does not end.');
}

/** As the sync worker: not marked. */
const remote = (engine: Engine, name: string) => ({
  put: (...rows: readonly Row[]) =>
    engine.write({ type: 'put', collection: name, rows }, { durability: undefined, signal: undefined, isRemote: true }),
  deleteMany: (selector: Row) =>
    engine.write(
      { type: 'deleteMany', collection: name, selector },
      { durability: undefined, signal: undefined, isRemote: true },
    ),
});

async function imageWithRows(): Promise<MemoryImage> {
  const image = createMemoryImage();
  const engine = await openOnImage(image, PLAIN);
  await verbsOf(engine).create(...ROWS);
  await engine.close();
  return image;
}

describe('rows that were there before', () => {
  test('[MARK-5] are all named once, while others are written', async () => {
    const engine = await openOnImage(await imageWithRows(), SYNCED);
    const writing = Array.from({ length: 20 }, (_, at) => verbsOf(engine).put({ id: `new ${at}` }));
    await Promise.all(writing);
    await enrolled(engine);
    const named = namedIn(await marksOf(engine));
    for (const { id } of ROWS) expect(named.filter((key) => key === id)).toHaveLength(1);
    expect(named.filter((key) => typeof key === 'string').length).toBeGreaterThanOrEqual(20);
    await engine.close();
  });

  test('[MARK-5] are all named whenever the engine is stopped on the way', async () => {
    const image = await imageWithRows();
    const named = new Set<Key>();
    let stops = 0;
    for (let isDone = false; !isDone; stops += 1) {
      const storage = createHeldStorage(createMemoryStorage(image));
      const engine = await openOnStorage(storage, SYNCED);
      // One more step than before gets through.
      for (let steps = 0; steps < 3 && !(await hasEnrolled(engine)); steps += 1) await turn();
      isDone = await hasEnrolled(engine);
      const copy = copyMemoryImage(image);
      for (const key of Object.keys(image) as (keyof MemoryImage)[]) Object.assign(image, { [key]: copy[key] });
    }
    const engine = await openOnImage(image, SYNCED);
    await enrolled(engine);
    for (const key of namedIn(await marksOf(engine))) named.add(key);
    expect(stops).toBeGreaterThan(1);
    expect(named.size).toBe(ROWS.length);
    await engine.close();
  });

  test('[MARK-5] are named again when the collection was not synchronised in between', async () => {
    const image = await imageWithRows();
    const first = await openOnImage(image, SYNCED);
    await enrolled(first);
    await remote(first, SYNC_CHANGES).deleteMany({});
    await first.close();
    const second = await openOnImage(image, OFF);
    await verbsOf(second).put({ id: 1, n: 'changed' });
    expect(await marksOf(second)).toEqual([]);
    await second.close();
    const third = await openOnImage(image, SYNCED);
    await enrolled(third);
    expect(new Set(namedIn(await marksOf(third))).size).toBe(ROWS.length);
    await third.close();
  });

  test('[MARK-5] a page that says nothing of synchronisation marks as the one before it', async () => {
    const image = createMemoryImage();
    await (await openOnImage(image, SYNCED)).close();
    const engine = await openOnImage(image, PLAIN);
    await verbsOf(engine).put({ id: 'a' });
    expect(namedIn(await marksOf(engine))).toEqual(['a']);
    await engine.close();
  });

  test('[MARK-4] a store of which nothing is synchronised has no hidden collection', async () => {
    const engine = await openOnImage(createMemoryImage(), [...PLAIN, collection('others', [], { sync: false })]);
    for (const name of HIDDEN_COLLECTIONS)
      expect(await codeOf(verbsOf(engine, name).get('a')), name).toBe('store/unknown-collection');
    await engine.close();
  });
});

describe('hidden collections', () => {
  test('[MARK-6] no call of an application reaches them', async () => {
    const engine = await openOnImage(createMemoryImage(), SYNCED);
    await verbsOf(engine).put({ id: 'a' });
    const replies: ServerMessage[] = [];
    const port = {
      onmessage: null as never,
      postMessage: (reply: ServerMessage) => replies.push(reply),
      close: () => {},
    };
    new PortServer(engine, port as never, {});
    const name = SYNC_CHANGES;
    const write = { durability: undefined };
    const calls = [
      ['get', 1, name, 'a'],
      ['getMany', 2, name, ['a']],
      ['find', 3, name, {}, {}],
      ['find', 4, 'items', [{ $lookup: { from: name, as: 'x', localField: 'id', foreignField: 'id' } }], {}],
      ['find', 5, 'items', [{ $facet: { y: [{ $lookup: { from: name, as: 'x', pipeline: [] } }] } }], {}],
      ['find', 6, 'items', {}, { include: { x: { from: name, on: ['id', 'id'] } } }],
      ['count', 7, name, {}, {}],
      ['plain', 8, name, { type: 'delete', collection: name, key: 1 }, write.durability, false, false],
      ['subscribe', 9, name, undefined],
      ['live', 10, name, {}, {}, 'rows'],
      ['begin', 11, { locks: [[name, 1]] }],
      ['createIndex', 12, name, 'rows'],
      ['plain', 13, 'items', { type: 'deleteMany', collection: name, selector: {} }, undefined, false, false],
      ['live', 14, 'items', [{ $lookup: { from: name, as: 'x', localField: 'id', foreignField: 'id' } }], {}, 'rows'],
    ];
    for (const call of calls) (port.onmessage as unknown as (event: object) => void)({ data: [[call], undefined] });
    await turn();
    await turn();
    const told = new Map(replies.flat().map((reply) => [reply[0], reply]));
    for (const [, id] of calls) {
      const reply = told.get(id as number);
      expect(reply?.[1], `call ${id}: ${JSON.stringify(reply)}`).toBe(ERROR);
      expect((reply?.[2] as { code: string } | undefined)?.code, `call ${id}`).toMatch(/unknown-collection|invalid/);
    }
    expect(await marksOf(engine)).toHaveLength(1);
    const health = await engine.health();
    expect(health.collections.map((each) => each.collection)).toEqual(['items']);
    await engine.close();
  });
});

describe('what is pending', () => {
  test('[PEND-1] is what is marked and what is in the outbox, told before the call is answered', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = createSeededRandom(seed);
      const engine = await openOnImage(createMemoryImage(), SYNCED);
      let lastId = 0;
      let told: PendingNews | undefined;
      const hear = (news: PendingNews): void => {
        told = news;
      };
      if (random() < 0.5) engine.watchPending(hear);
      for (let step = 0; step < 60; step += 1) {
        const marks = await marksOf(engine);
        const which = random();
        if (which < 0.5) {
          await verbsOf(engine, 'items', random() < 0.3 ? 'deferred' : undefined).put({ id: Math.floor(random() * 9) });
          if (told !== undefined) expect(told.pending, `seed ${seed}`).toBeGreaterThan(0);
        } else if (which < 0.75 && marks.length > 0) {
          lastId += 1;
          const count = new Set(namedIn(marks)).size;
          const refusal = random() < 0.2 ? { refusal: { code: 'too-large', message: 'It is.' } } : {};
          const tx = engine.begin({
            readOnly: false,
            durability: undefined,
            timeoutMs: 9_000,
            locks: [],
            isRemote: true,
          });
          await verbsOf(tx, SYNC_OUTBOX).put({ id: lastId, count, ...refusal });
          await verbsOf(tx, SYNC_CHANGES).deleteMany({});
          const before = told?.pending;
          await tx.commit();
          if (before !== undefined) expect(told?.pending, `seed ${seed}: after the fold`).toBeGreaterThan(0);
        } else await remote(engine, SYNC_OUTBOX).deleteMany({ id: Math.ceil(random() * lastId) });
        if (told === undefined && random() < 0.1) engine.watchPending(hear);
        await turn();
        if (told === undefined) continue;
        const outbox = (await verbsOf(engine, SYNC_OUTBOX).all()) as readonly { count: number; refusal?: object }[];
        const expected = namedIn(await marksOf(engine)).length + outbox.reduce((sum, { count }) => sum + count, 0);
        expect(told.pending, `seed ${seed}, step ${step}`).toBe(expected);
        expect(told.unsynced.length, `seed ${seed}`).toBe(outbox.filter(({ refusal }) => refusal !== undefined).length);
      }
      await engine.close();
    }
  });

  test('[PEND-2] is waited for until what was there is acknowledged, whatever is written meanwhile', async () => {
    const engine = await openOnImage(createMemoryImage(), SYNCED);
    await engine.whenSaved(undefined);
    await verbsOf(engine).put({ id: 'a' });
    let isSaved = false;
    const saving = engine.whenSaved(undefined).then(() => {
      isSaved = true;
    });
    await turn();
    await remote(engine, SYNC_OUTBOX).put({ id: 1, count: 1 });
    await remote(engine, SYNC_CHANGES).deleteMany({});
    await verbsOf(engine).put({ id: 'b' });
    await turn();
    expect(isSaved).toBe(false);
    await remote(engine, SYNC_OUTBOX).deleteMany({ id: 1 });
    await saving;
    await remote(engine, SYNC_OUTBOX).put({ id: 2, count: 1, refusal: { code: 'too-large', message: 'It is.' } });
    await remote(engine, SYNC_CHANGES).deleteMany({});
    expect(await codeOf(engine.whenSaved(undefined))).toBe('sync/refused');
    await verbsOf(engine).put({ id: 'c' });
    const controller = new AbortController();
    const aborting = codeOf(engine.whenSaved(controller.signal));
    await turn();
    controller.abort();
    expect(await aborting).toBe('call/aborted');
    await engine.close();
  });
});
