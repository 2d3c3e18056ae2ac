/**
 * Goal: whatever transactions are told equals what a serial run in the order of their commits would tell (TXN-3), and
 * readers see one moment (TXN-8). Method: random transactions of several clients, their steps interleaved from a seed,
 * with appends that come late or fail, and plain writes between. What was committed is then played again on a plain map,
 * one after the other, and every answer is compared.
 */
import { describe, expect, test } from 'vitest';
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { VERIFY, verbsOf } from '../engine/engine-verbs.ts';
import { type Client, openStage, type Random, takeSteps } from './random-steps.ts';
import { ACCOUNTS, beginOn, keptBy, NOTHING, type Tx } from './transaction-fixture.ts';

type Model = Map<string, Row>;
/** Does a step inside of a transaction, or on a model, and answers what it tells. */
type Step = { readonly text: string; run(tx: Tx): Promise<unknown>; play(model: Model): unknown };
type Told = { readonly step: Step; readonly answer: unknown };
type Done = { readonly id: string; readonly told: readonly Told[]; readonly isReader: boolean };

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const OWNERS = ['x', 'y', 'z'];

const sorted = (model: Model): readonly Row[] =>
  [...model.values()].sort((one, other) => ((one['id'] as string) < (other['id'] as string) ? -1 : 1));
const byBalance = (rows: readonly Row[]): readonly Row[] =>
  [...rows].sort((one, other) => (one['balance'] as number) - (other['balance'] as number));

function randomStep(random: Random): Step {
  const key = random.pick(KEYS);
  const owner = random.pick(OWNERS);
  const low = random.below(10);
  const n = random.below(10);
  const isIn = (row: Row): boolean => (row['balance'] as number) >= low && (row['balance'] as number) < low + 3;
  const range = { balance: { $gte: low, $lt: low + 3 } };
  const refusedOr = async (call: Promise<unknown>): Promise<unknown> => call.catch((error: StoreError) => error.code);
  const steps: readonly Step[] = [
    { text: `get ${key}`, run: (tx) => tx.accounts.get(key), play: (model) => model.get(key) },
    {
      text: `count ${owner}`,
      run: (tx) => tx.accounts.count({ owner }),
      play: (model) => sorted(model).filter((row) => row['owner'] === owner).length,
    },
    {
      text: `find from ${low}`,
      run: (tx) => tx.accounts.find(range, { sort: [['id', 1]] }),
      play: (model) => sorted(model).filter(isIn),
    },
    {
      text: 'two poorest',
      run: (tx) => tx.accounts.find({}, { sort: [['balance', 1]], limit: 2 }),
      play: (model) => byBalance(sorted(model)).slice(0, 2),
    },
    {
      text: `create ${key}`,
      run: (tx) => refusedOr(tx.accounts.create({ id: key, owner, balance: n })),
      play: (model) => {
        if (model.has(key)) return 'collection/duplicate-key';
        model.set(key, { id: key, owner, balance: n });
        return undefined;
      },
    },
    {
      text: `put ${key}`,
      run: (tx) => tx.accounts.put({ id: key, owner, balance: n }),
      play: (model) => void model.set(key, { id: key, owner, balance: n }),
    },
    {
      text: `update ${key}`,
      run: (tx) => tx.accounts.update(key, { $inc: { balance: n }, $set: { owner } }),
      play: (model) => {
        const row = model.get(key);
        if (row === undefined) return undefined;
        model.set(key, { ...row, owner, balance: ((row['balance'] as number) + n) % 1_000 });
        return model.get(key);
      },
    },
    {
      text: `update those from ${low}`,
      run: (tx) => tx.accounts.updateMany(range, { owner }),
      play: (model) => {
        const found = sorted(model).filter(isIn);
        for (const row of found) model.set(row['id'] as string, { ...row, owner });
        return found.length;
      },
    },
    {
      text: `delete ${key}`,
      run: (tx) => tx.accounts.delete(key),
      play: (model) => model.delete(key),
    },
    {
      text: `delete those of ${owner} from ${low}`,
      run: (tx) => tx.accounts.deleteMany({ owner, ...range }),
      play: (model) => {
        const found = sorted(model).filter((row) => row['owner'] === owner && isIn(row));
        for (const row of found) model.delete(row['id'] as string);
        return found.length;
      },
    },
  ];
  return random.pick(steps);
}

const READS = /^(get|count|find|two)/;

type Outcome = { readonly committed: ReadonlyMap<string, Done>; readonly readers: readonly Done[]; lost: number };

function createClients(
  stage: Awaited<ReturnType<typeof openStage>>,
  outcome: Outcome,
  durabilities: readonly string[],
): () => Client {
  const { engine, random } = stage;
  const committed = outcome.committed as Map<string, Done>;
  const readers = outcome.readers as Done[];
  let last = 0;
  return () => {
    last += 1;
    const id = `t${last}`;
    if (random.chance(0.15)) return plainWrite(stage, id);
    const isReader = random.chance(0.2);
    const tx = beginOn(engine, isReader ? { readOnly: true } : { durability: random.pick(durabilities) });
    const told: Told[] = [];
    let left = 1 + random.below(5);
    let savepoint: { readonly number: number; readonly told: number } | undefined;
    /** A lock that is waited for, until it is there or refused. */
    let waiting: { isDone: boolean; error?: unknown } | undefined;
    return async () => {
      if (waiting?.isDone === false) return true;
      try {
        if (waiting?.error !== undefined) throw waiting.error;
        if (left > 0) {
          left -= 1;
          let step = randomStep(random);
          while (isReader && !READS.test(step.text)) step = randomStep(random);
          told.push({ step, answer: await step.run(tx) });
          if (!isReader && random.chance(0.1)) savepoint = { number: await tx.savepoint(), told: told.length };
          if (savepoint !== undefined && random.chance(0.2)) {
            await tx.rollbackTo(savepoint.number);
            // What was told since was told, but is not done.
            told.splice(savepoint.told);
            savepoint = undefined;
          }
          if (!isReader && random.chance(0.05)) {
            const lock: NonNullable<typeof waiting> = { isDone: false };
            waiting = lock;
            tx.lock(random.pick(KEYS))
              .catch((error) => {
                lock.error = error;
              })
              .finally(() => {
                lock.isDone = true;
              });
          }
          return true;
        }
        if (random.chance(0.05)) {
          tx.raw.rollback();
          return false;
        }
        if (isReader) {
          readers.push({ id, told, isReader });
          await tx.commit();
          return false;
        }
        await tx.transfers.create({ id });
        committed.set(id, { id, told, isReader });
        tx.commit().catch((error) => {
          if (!(error instanceof StoreError)) throw error;
          outcome.lost += 1;
          committed.delete(id);
        });
        return false;
      } catch (error) {
        if (!(error instanceof StoreError) || !/^(transaction|storage|engine)\//.test(error.code)) throw error;
        outcome.lost += 1;
        tx.raw.rollback();
        return false;
      }
    };
  };
}

/** One write outside of a transaction; its row says who wrote it. */
function plainWrite({ engine, random }: Awaited<ReturnType<typeof openStage>>, id: string): Client {
  const key = random.pick(KEYS);
  const row = { id: key, owner: random.pick(OWNERS), balance: random.below(10), by: id };
  return async () => {
    verbsOf(engine, 'accounts')
      .put(row)
      .catch(() => undefined);
    return false;
  };
}

async function check(seed: number, failures: boolean): Promise<Outcome> {
  const stage = await openStage(seed, ACCOUNTS);
  const { engine } = stage;
  const outcome: Outcome = { committed: new Map(), readers: [], lost: 0 };
  /** What was committed, in its order: transactions by their receipt, plain writes by their row. */
  const order: (string | Row)[] = [];
  const plain = new Set<unknown>();
  engine.subscribe('accounts', (events) => {
    for (const { row } of events) {
      if (row?.['by'] === undefined || plain.has(row['by'])) continue;
      plain.add(row['by']);
      order.push(row);
    }
  });
  engine.subscribe('transfers', (events) => {
    for (const { key } of events) order.push(key as string);
  });
  // What was answered from memory and cannot be stored poisons the engine.
  const durabilities = failures ? ['strict', 'relaxed'] : ['relaxed', 'deferred'];
  await takeSteps(stage, { clients: 6, steps: 400, failures }, createClients(stage, outcome, durabilities));

  const model: Model = new Map();
  const moments: Model[] = [new Map()];
  for (const each of order) {
    if (typeof each !== 'string') model.set(each['id'] as string, each);
    else {
      const done = outcome.committed.get(each);
      expect(done, `${each} was told, but not as committed`).toBeDefined();
      for (const { step, answer } of done!.told) {
        expect(step.play(model), `seed ${seed}: ${each} ${step.text}`).toEqual(answer);
      }
    }
    moments.push(new Map(model));
  }
  expect(order.filter((each) => typeof each === 'string').length).toBe(outcome.committed.size);
  expect(await verbsOf(engine, 'accounts').all(), `seed ${seed}`).toEqual(sorted(model));
  for (const { id, told } of outcome.readers) {
    const isTrue = (moment: Model): boolean => told.every(({ step, answer }) => deepEqual(step.play(moment), answer));
    expect(moments.some(isTrue), `seed ${seed}: reader ${id} has seen no moment that there was`).toBe(true);
  }
  expect((await engine.verify(VERIFY)).sound).toBe(true);
  expect(await keptBy(engine)).toEqual(NOTHING);
  await engine.close();
  return outcome;
}

describe('random transactions', () => {
  test.each(Array.from({ length: 25 }, (_, at) => 5_000 + at))('[TXN-3] [TXN-8] [TXN-9] seed %i', async (seed) => {
    await check(seed, false);
  });

  test.each(Array.from({ length: 15 }, (_, at) => 7_000 + at))(
    '[TXN-3] [TXN-4] [TXN-9] with appends that fail, seed %i',
    async (seed) => {
      await check(seed, true);
    },
  );

  test('[canary] many commit, many lose, and some only read', async () => {
    const { committed, readers, lost } = await check(6_000, false);
    expect(committed.size).toBeGreaterThan(20);
    expect(readers.length).toBeGreaterThan(5);
    expect(lost).toBeGreaterThan(10);
  });
});
