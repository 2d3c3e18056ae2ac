/** Goal: transactions as an application has them. Method: the client before the real engine in this thread. */
import { describe, expect, test } from 'vitest';
import { defineCollection, type Savepoint, type StoreError, type Transaction } from '../../src/index.ts';
import { refusal } from './client-fixture.ts';
import { openRealStore } from './transaction-fixture.ts';

type Account = { id: string; balance: number; owner?: string };
type Transfer = { id: string; from: string; to: string; amount: number };

const COLLECTIONS = {
  accounts: defineCollection<Account>()({ indexes: ['balance', { on: 'owner', unique: true, sparse: true }] }),
  transfers: defineCollection<Transfer>()({}),
};
type Tx = Transaction<typeof COLLECTIONS>;

async function openBank() {
  const opened = await openRealStore(COLLECTIONS);
  await opened.store.accounts.createMany(['a', 'b', 'c'].map((id) => ({ id, balance: 100 })));
  return opened;
}

const move = async (tx: Tx, from: string, to: string, amount: number): Promise<string> => {
  await tx.accounts.update(from, { $inc: { balance: -amount } });
  await tx.accounts.update(to, { $inc: { balance: amount } });
  return (await tx.transfers.create({ from, to, amount })).id;
};

describe('a transaction', () => {
  test('[TXN-4] answers what its function answers, and stores everything together', async () => {
    const { store, engine } = await openBank();
    const id = await store.transaction((tx) => move(tx, 'a', 'b', 30));
    expect(await store.accounts.getMany(['a', 'b'])).toEqual([
      { id: 'a', balance: 70 },
      { id: 'b', balance: 130 },
    ]);
    // The key was made on the page, as outside.
    expect(await store.transfers.get(id)).toMatchObject({ id: expect.stringMatching(/^[\da-f-]{36}$/), amount: 30 });
    expect(await engine.health()).toMatchObject({ openTransactions: 0, openSnapshots: 0 });
  });

  test('[TXN-2] has the verbs of a collection', async () => {
    const { store } = await openBank();
    await store.transaction(async (tx) => {
      const { accounts } = tx;
      await accounts.put({ id: 'd', balance: 1 });
      const keys: string[] = await accounts.createMany(
        Array.from({ length: 500 }, (_, at) => ({ id: `n${String(at).padStart(3, '0')}`, balance: 1_000 + at })),
      );
      expect(keys).toHaveLength(500);
      expect(await accounts.get('d')).toEqual({ id: 'd', balance: 1 });
      expect(await accounts.getMany(['a', 'none'])).toEqual([{ id: 'a', balance: 100 }, undefined]);
      expect(await accounts.count({ balance: { $gte: 1_000 } })).toBe(500);
      expect(await accounts.find({ balance: { $gte: 1_498 } }, { sort: { balance: -1 } })).toMatchObject([
        { balance: 1_499 },
        { balance: 1_498 },
      ]);
      expect(await accounts.findOne({ balance: 1_001 })).toEqual({ id: 'n001', balance: 1_001 });
      expect(await accounts.updateMany({ balance: { $lt: 1_010 } }, { balance: 0 })).toBe(14);
      expect(await accounts.deleteMany({ balance: { $gte: 1_000 } })).toBe(490);
      expect(await accounts.delete('none')).toBe(false);
      expect(await accounts.distinct('balance')).toEqual([0]);
      expect(await accounts.aggregate<{ _id: null; n: number }>([{ $group: { _id: null, n: { $sum: 1 } } }])).toEqual([
        { _id: null, n: 14 },
      ]);
      const streamed: string[] = [];
      for await (const { id } of accounts.find({}, { sort: { id: 1 } }).stream()) streamed.push(id);
      expect(streamed.slice(0, 5)).toEqual(['a', 'b', 'c', 'd', 'n000']);
      const page = await accounts.find({}).page(3);
      expect(page.rows).toHaveLength(3);
      expect((await accounts.find({ id: 'a' }).explain()).access).toBe('key');
      expect(await tx.collection('accounts').count()).toBe(14);
    });
    expect(await store.accounts.count()).toBe(14);
  });

  test('[TXN-2] calls of one turn travel together, and take effect in their order', async () => {
    const { store } = await openBank();
    const found = await store.transaction(async ({ accounts }) => {
      const [, , row, count] = await Promise.all([
        accounts.update('a', { balance: 1 }),
        accounts.create({ id: 'd', balance: 5 }),
        accounts.get('a'),
        accounts.count(),
        accounts.delete('d'),
      ]);
      return { row, count };
    });
    expect(found).toEqual({ row: { id: 'a', balance: 1 }, count: 4 });
    expect(await store.accounts.count()).toBe(3);
  });

  test('[TXN-9] one that throws stores nothing and rejects with what it threw', async () => {
    const { store, engine } = await openBank();
    const thrown = new Error('changed my mind');
    const promise = store.transaction(async (tx) => {
      await move(tx, 'a', 'b', 30);
      throw thrown;
    });
    expect(await promise.catch((error: unknown) => error)).toBe(thrown);
    expect(await store.accounts.get('a')).toEqual({ id: 'a', balance: 100 });
    expect(await store.transfers.count()).toBe(0);
    expect(await engine.health()).toMatchObject({ openTransactions: 0, openSnapshots: 0 });
    const nothing = store.transaction(() => Promise.reject(undefined));
    expect(await nothing.catch((error: unknown) => error)).toBeUndefined();
    const sync = store.transaction(() => {
      throw thrown;
    });
    expect(await sync.catch((error: unknown) => error)).toBe(thrown);
  });

  test('[TXN-6] savepoints', async () => {
    const { store } = await openBank();
    await store.transaction(async (tx) => {
      await tx.accounts.update('a', { balance: 1 });
      const savepoint: Savepoint = await tx.savepoint();
      await tx.accounts.deleteMany({});
      await tx.rollbackTo(savepoint);
      expect(await tx.accounts.count()).toBe(3);
      expect((await refusal(tx.rollbackTo(7 as Savepoint))).code).toBe('transaction/unknown-savepoint');
    });
    expect(await store.accounts.get('a')).toEqual({ id: 'a', balance: 1 });
  });

  test('[TXN-12] tells what durability was given, once', async () => {
    const { store } = await openBank();
    const given: unknown[] = [];
    const onCommitted = (commit: unknown): void => void given.push(commit);
    await store.transaction(
      (tx) => tx.accounts.update('a', { balance: 2 }, { onCommitted: () => given.push('early') }),
      {
        durability: 'strict',
        onCommitted,
      },
    );
    expect(given).toEqual([{ durability: 'none' }]);
  });

  test('[TXN-10] a Standard Schema has its say, at the call', async () => {
    const even = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) =>
          (value as { n: number }).n % 2 === 0
            ? { value: { ...(value as { id: string; n: number }), checked: true } }
            : { issues: [{ message: 'odd', path: ['n'] }] },
      },
    };
    const { store } = await openRealStore({
      numbers: defineCollection<{ id: string; n: number }>()({ schema: even as never }),
    });
    await store.transaction(async ({ numbers }) => {
      await numbers.create({ id: 'a', n: 2 });
      expect((await refusal(numbers.create({ id: 'b', n: 3 } as never))).code).toBe('collection/invalid-document');
      expect((await refusal(numbers.update('a', { n: 5 } as never))).code).toBe('collection/invalid-document');
      expect(await numbers.update('a', { n: 4 })).toMatchObject({ n: 4, checked: true });
      expect(await numbers.updateMany({}, { n: 6 })).toBe(1);
    });
    expect(await store.numbers.find()).toEqual([{ id: 'a', n: 6, checked: true }]);
  });

  test('[LIVE-8] [TXN-4] live queries emit once for all of it', async () => {
    const { store } = await openBank();
    const sums: number[] = [];
    const counts: number[] = [];
    const one = store.accounts.find().$.subscribe((rows) => {
      sums.push(rows.reduce((sum, { balance }) => sum + balance, 0));
    });
    const two = store.transfers.find().count$.subscribe((count) => counts.push(count));
    await until(() => sums.length === 1 && counts.length === 1);
    await store.transaction(async (tx) => {
      await move(tx, 'a', 'b', 10);
      await move(tx, 'b', 'c', 20);
      await move(tx, 'c', 'a', 30);
    });
    await until(() => counts.includes(3));
    expect(counts).toEqual([0, 3]);
    expect(sums).toEqual([300, 300]);
    one.unsubscribe();
    two.unsubscribe();
  });
});

describe('races', () => {
  test('[TXN-5] one that lost is run again, and nobody notices', async () => {
    const { store } = await openBank();
    let runs = 0;
    await store.transaction(async ({ accounts }) => {
      runs += 1;
      const { balance } = (await accounts.get('a'))!;
      if (runs === 1) await store.accounts.update('a', { $inc: { balance: 1 } });
      await accounts.update('a', { balance: balance + 10 });
    });
    expect(runs).toBe(2);
    expect(await store.accounts.get('a')).toEqual({ id: 'a', balance: 111 });
  });

  test('[TXN-5] also when its function hides the error', async () => {
    const { store } = await openBank();
    let runs = 0;
    await store.transaction(async (tx) => {
      runs += 1;
      await tx.accounts.get('a');
      if (runs === 1) await store.accounts.update('a', { balance: 5 });
      // Too late for what was read.
      await tx.lock('accounts', 'a').catch(() => {
        throw new Error('something else');
      });
    });
    expect(runs).toBe(2);
  });

  test('[TXN-5] retries are bounded, and the error says how often it was run', async () => {
    const { store } = await openBank();
    for (const [options, attempts] of [
      [{ retries: 2 }, 3],
      [{ retries: 0 }, 1],
    ] as const) {
      let runs = 0;
      const error = await refusal(
        store.transaction(async ({ accounts }) => {
          runs += 1;
          await accounts.count({ balance: { $gte: 0 } });
          await store.accounts.update('b', { balance: runs });
          await accounts.update('a', { balance: 1 });
        }, options),
      );
      expect(error.code).toBe('transaction/conflict');
      expect(error.details).toMatchObject({ attempts, collection: 'accounts', key: 'b' });
      expect(error.hint).toMatch(/retries/);
      expect(runs).toBe(attempts);
    }
    expect(await store.accounts.get('a')).toEqual({ id: 'a', balance: 100 });
  });

  test('[TXN-5] 200 at a time over 10 documents: all commit, none is lost, none starves', async () => {
    const { store, engine } = await openRealStore(COLLECTIONS);
    const ids = Array.from({ length: 10 }, (_, at) => `k${at}`);
    await store.accounts.createMany(ids.map((id) => ({ id, balance: 1_000 })));
    let runsMax = 0;
    const start = performance.now();
    await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const [from, to] = [ids[n % 10]!, ids[(n * 7 + 3) % 10]!];
        let runs = 0;
        await store.transaction(async ({ accounts, transfers }) => {
          runs += 1;
          const source = (await accounts.get(from))!;
          await accounts.update(from, { balance: source.balance - n });
          const target = (await accounts.get(to))!;
          await accounts.update(to, { balance: target.balance + n });
          await transfers.create({ id: `t${n}`, from, to, amount: n });
        });
        runsMax = Math.max(runsMax, runs);
      }),
    );
    const tookMs = performance.now() - start;
    const rows = await store.accounts.find();
    expect(rows.reduce((sum, { balance }) => sum + balance, 0)).toBe(10_000);
    const expected = new Map(ids.map((id) => [id, 1_000]));
    for (const { from, to, amount } of await store.transfers.find()) {
      expected.set(from, expected.get(from)! - amount);
      expected.set(to, expected.get(to)! + amount);
    }
    expect(new Map(rows.map(({ id, balance }) => [id, balance]))).toEqual(expected);
    expect(await store.transfers.count()).toBe(200);
    // The second run has its locks, and so nobody overtakes it.
    expect(runsMax).toBeLessThanOrEqual(3);
    expect(tookMs).toBeLessThan(5_000);
    expect(await engine.health()).toMatchObject({ openTransactions: 0, openSnapshots: 0 });
  });

  test('[TXN-7] a deadlock is told to one, the other commits', async () => {
    const { store } = await openBank();
    const run = (first: string, second: string): Promise<string> =>
      store
        .transaction(async (tx) => {
          await tx.lock('accounts', first);
          await new Promise((resolve) => setTimeout(resolve, 20));
          await tx.lock('accounts', second);
          await tx.accounts.update(first, { $inc: { balance: 1 } });
          await tx.accounts.update(second, { $inc: { balance: 1 } });
        })
        .then(
          () => 'ok',
          (error: StoreError) => `${error.code} ${(error.details['cycle'] as unknown[]).length}`,
        );
    expect((await Promise.all([run('a', 'b'), run('b', 'a')])).sort()).toEqual(['ok', 'transaction/deadlock 2']);
    expect(await store.accounts.getMany(['a', 'b'])).toMatchObject([{ balance: 101 }, { balance: 101 }]);
  });
});

describe('misuse', () => {
  test('[TXN-11] after the end', async () => {
    const { store } = await openBank();
    let kept: Tx | undefined;
    await store.transaction(async (tx) => {
      kept = tx;
    });
    const { accounts } = kept!;
    const calls = [
      () => accounts.get('a'),
      () => accounts.find(),
      () => accounts.count(),
      () => accounts.delete('a'),
      () => kept!.savepoint(),
    ];
    for (const call of calls) {
      const error = await refusal(call());
      expect(error.code).toBe('transaction/ended');
      expect(error.hint).toMatch(/Await every call/);
    }
    expect(await store.accounts.count()).toBe(3);
  });

  test('[TXN-11] a call that nobody awaited and that came too late', async () => {
    const { store } = await openBank();
    let late: Promise<unknown> | undefined;
    await store.transaction(async (tx) => {
      setTimeout(() => {
        late = tx.accounts.delete('a');
        late.catch(() => {});
      }, 10);
    });
    await until(() => late !== undefined);
    expect((await refusal(late!)).code).toBe('transaction/ended');
    expect(await store.accounts.count()).toBe(3);
  });

  test('[TXN-9] [T6] foreign awaits that outlive the time', async () => {
    const { store, engine } = await openBank();
    const error = await refusal(
      store.transaction(
        async (tx) => {
          await tx.accounts.update('a', { balance: 0 });
          await tx.lock('accounts', 'a');
          await new Promise(() => {});
        },
        { timeoutMs: 30 },
      ),
    );
    expect(error.code).toBe('transaction/timeout');
    expect(error.details).toEqual({ timeoutMs: 30 });
    expect(error.hint).toMatch(/slow/);
    expect(await store.accounts.get('a')).toEqual({ id: 'a', balance: 100 });
    expect(await engine.health()).toMatchObject({ openTransactions: 0, openSnapshots: 0 });
  });

  test('[TXN-9] the time is for all runs together', async () => {
    const { store } = await openBank();
    const start = performance.now();
    const error = await refusal(
      store.transaction(
        async ({ accounts }) => {
          await accounts.count();
          await store.accounts.create({ balance: 1 });
          await accounts.update('a', { balance: 1 });
        },
        { timeoutMs: 100, retries: 1_000_000 },
      ),
    );
    expect(error.code).toBe('transaction/timeout');
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  test('[TXN-11] nesting', async () => {
    const { store } = await openBank();
    await store.transaction(async (tx) => {
      const nested = (tx as unknown as { transaction(run: unknown): Promise<void> }).transaction(() => {});
      const error = await refusal(nested);
      expect(error.code).toBe('transaction/nested');
      expect(error.hint).toMatch(/savepoint/);
    });
  });

  test.each([
    [{ durability: 'strict', readOnly: true }, 'transaction/invalid-option'],
    [{ retries: -1 }, 'transaction/invalid-option'],
    [{ timeoutMs: -5 }, 'transaction/invalid-option'],
    [{ isolation: 'none' }, 'transaction/unknown-option'],
  ])('[TXN-11] wrong options are refused before anything runs: %o', async (options, code) => {
    const { store } = await openBank();
    let runs = 0;
    const run = (): void => {
      runs += 1;
    };
    expect((await refusal(store.transaction(run, options as never))).code).toBe(code);
    expect(runs).toBe(0);
  });

  test('[TXN-11] what does not belong inside', async () => {
    const { store } = await openBank();
    await store.transaction(async (tx) => {
      const accounts = tx.accounts as unknown as typeof store.accounts;
      expect((await refusal(accounts.createIndex('balance'))).code).toBe('transaction/unsupported-call');
      expect((await refusal(accounts.migrate())).code).toBe('transaction/unsupported-call');
      const live = new Promise((_resolve, reject) => accounts.find().$.subscribe({ error: reject }));
      expect((await refusal(live)).code).toBe('transaction/unsupported-call');
      expect((await refusal(tx.accounts.delete('a', { durability: 'strict' }))).code).toBe(
        'transaction/invalid-option',
      );
      expect(() => tx.collection('nowhere' as never)).toThrow(/no collection/);
      expect((await refusal(tx.lock('nowhere' as 'accounts', 'a'))).code).toBe('store/unknown-collection');
    });
    expect(await store.accounts.count()).toBe(3);
  });

  test('[TXN-8] readOnly', async () => {
    const { store } = await openBank();
    const found = await store.transaction(
      async ({ accounts }) => {
        const before = await accounts.count();
        await store.accounts.deleteMany({});
        expect((await refusal(accounts.delete('a'))).code).toBe('transaction/read-only');
        return [before, await accounts.count()];
      },
      { readOnly: true },
    );
    expect(found).toEqual([3, 3]);
    expect(await store.accounts.count()).toBe(0);
  });

  test('[TXN-9] closing the store ends it', async () => {
    const { store } = await openBank();
    const error = await refusal(
      store.transaction(async ({ accounts }) => {
        await accounts.update('a', { balance: 0 });
        await store.close();
        await accounts.get('a');
      }),
    );
    expect(error.code).toBe('store/closed');
  });
});

async function until(isDone: () => boolean): Promise<void> {
  for (let left = 500; left > 0 && !isDone(); left -= 1) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(isDone()).toBe(true);
}
