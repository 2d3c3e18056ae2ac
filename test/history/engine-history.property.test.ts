/**
 * Goal: what clients of the real engine see in concurrent transactions is serializable (TXN-3). Method: lists of two
 * kinds, as an array in a document and as the rows of a group, which are found by an index; random transactions append
 * and read, their steps interleaved from a seed while appends come late; the checker judges what was recorded.
 */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { defineCollection } from '../../src/index.ts';
import { openRealStore } from '../client/transaction-fixture.ts';
import { collection, index } from '../engine/engine-fixture.ts';
import { verbsOf } from '../engine/engine-verbs.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { type Client, openStage, type Stage, takeSteps } from '../transactions/random-steps.ts';
import { beginOn } from '../transactions/transaction-fixture.ts';
import { findAnomalies, toText } from './checker.ts';
import type { Operation, Transaction } from './history.ts';

const COLLECTIONS = [collection('lists'), collection('entries', [index(['group', 'place'])])];
const DOCUMENTS = ['d0', 'd1', 'd2'];
const GROUPS = ['g0', 'g1', 'g2'];
const KEYS = [...DOCUMENTS, ...GROUPS];

type Recorded = {
  readonly id: string;
  outcome: Transaction['outcome'];
  readonly operations: Operation[];
  isLast?: true;
};
type Seen = Pick<ReturnType<typeof beginOn>, 'raw'>;

async function read(tx: Seen, key: string): Promise<readonly number[]> {
  if (DOCUMENTS.includes(key)) return ((await verbsOf(tx.raw, 'lists').get(key))?.['list'] ?? []) as number[];
  const rows = await verbsOf(tx.raw, 'entries').find({ group: key }, { sort: [['place', 1]] });
  return rows.map((row) => row['value'] as number);
}

/** An entry of a group goes to its end, which has to be read first. */
async function append(tx: Seen, key: string, value: number, operations: Operation[]): Promise<void> {
  if (DOCUMENTS.includes(key)) {
    await verbsOf(tx.raw, 'lists').update(key, { $push: { list: value } });
  } else {
    const list = await read(tx, key);
    operations.push({ type: 'read', key, list });
    await verbsOf(tx.raw, 'entries').create({ id: value, group: key, place: list.length, value });
  }
  operations.push({ type: 'append', key, value });
}

function createClients({ engine, random }: Stage, history: Recorded[]): () => Client {
  let value = 0;
  return () => {
    const recorded: Recorded = { id: `t${history.length}`, outcome: 'aborted', operations: [] };
    history.push(recorded);
    const isReader = random.chance(0.25);
    const tx = beginOn(engine, isReader ? { readOnly: true } : { durability: random.pick(['relaxed', 'deferred']) });
    let left = 1 + random.below(4);
    return async () => {
      try {
        if (left > 0) {
          left -= 1;
          const key = random.pick(KEYS);
          if (isReader || random.chance(0.5))
            recorded.operations.push({ type: 'read', key, list: await read(tx, key) });
          else {
            value += 1;
            await append(tx, key, value, recorded.operations);
          }
          return true;
        }
        if (random.chance(0.1)) tx.raw.rollback();
        else {
          recorded.outcome = 'committed';
          tx.commit().catch((error) => {
            recorded.outcome = 'aborted';
            if (!(error instanceof StoreError)) throw error;
          });
        }
      } catch (error) {
        if (!(error instanceof StoreError) || !error.code.startsWith('transaction/')) throw error;
        tx.raw.rollback();
      }
      return false;
    };
  };
}

async function record(seed: number): Promise<readonly Transaction[]> {
  const stage = await openStage(seed, COLLECTIONS);
  const { engine } = stage;
  await verbsOf(engine, 'lists').create(...DOCUMENTS.map((id) => ({ id, list: [] })));
  const history: Recorded[] = [];
  await takeSteps(stage, { clients: 6, steps: 500, failures: false }, createClients(stage, history));
  const last: Recorded = { id: 'last', outcome: 'committed', operations: [], isLast: true };
  const tx = beginOn(engine, { readOnly: true });
  for (const key of KEYS) last.operations.push({ type: 'read', key, list: await read(tx, key) });
  await tx.commit();
  await engine.close();
  return [...history, last];
}

describe('histories of the engine', () => {
  test.each(Array.from({ length: 40 }, (_, at) => 8_000 + at))('[TXN-3] are serializable, seed %i', async (seed) => {
    const anomalies = findAnomalies(await record(seed));
    expect(anomalies, `seed ${seed}\n${toText(anomalies)}`).toEqual([]);
  });

  test('[canary] they have commits, lost races, and long lists', async () => {
    const history = await record(8_000);
    const count = (outcome: Transaction['outcome']): number =>
      history.filter((each) => each.outcome === outcome && each.operations.length > 0).length;
    expect(count('committed')).toBeGreaterThan(60);
    expect(count('aborted')).toBeGreaterThan(20);
    const lists = history
      .at(-1)!
      .operations.map((operation) => (operation.type === 'read' ? operation.list.length : 0));
    expect(Math.min(...lists)).toBeGreaterThan(2);
  });
});

test.each([1, 2, 3])(
  '[TXN-3] [TXN-5] histories of the client, with all its retries, are serializable, seed %i',
  async (seed) => {
    const random = createSeededRandom(seed);
    const { store } = await openRealStore({
      lists: defineCollection<{ id: string; list: number[] }>()({}),
      entries: defineCollection<{ id: string; group: string; place: number; value: number }>()({
        indexes: [['group', 'place']],
      }),
    });
    await store.lists.createMany(DOCUMENTS.map((id) => ({ id, list: [] })));
    const history: Recorded[] = [];
    const run = async (n: number): Promise<void> => {
      const plan = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, at) => ({
        key: KEYS[Math.floor(random() * KEYS.length)]!,
        value: random() < 0.5 ? undefined : n * 10 + at + 1,
      }));
      const recorded: Recorded = { id: `t${n}`, outcome: 'aborted', operations: [] };
      history.push(recorded);
      await store.transaction(
        async ({ lists, entries }) => {
          recorded.operations.length = 0;
          for (const { key, value } of plan) {
            const list = DOCUMENTS.includes(key)
              ? (await lists.get(key))!.list
              : (await entries.find({ group: key }, { sort: { place: 1 } })).map((row: Row) => row['value'] as number);
            recorded.operations.push({ type: 'read', key, list });
            if (value === undefined) continue;
            if (DOCUMENTS.includes(key)) await lists.update(key, { $push: { list: value } });
            else await entries.create({ id: `v${value}`, group: key, place: list.length, value });
            recorded.operations.push({ type: 'append', key, value });
          }
        },
        { retries: 100 },
      );
      recorded.outcome = 'committed';
    };
    for (let from = 0; from < 300; from += 30) await Promise.all(Array.from({ length: 30 }, (_, at) => run(from + at)));
    const anomalies = findAnomalies(history);
    expect(anomalies, `seed ${seed}\n${toText(anomalies)}`).toEqual([]);
    expect(history.every(({ outcome }) => outcome === 'committed')).toBe(true);
  },
);
