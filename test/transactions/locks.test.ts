/** Goal: locks are granted in order, and a circle is found at once. Method: transactions that wait for each other. */
import { describe, expect, test } from 'vitest';
import type { StoreError } from '../../src/base/store-error.ts';
import { codeOf } from '../engine/engine-verbs.ts';
import { keptBy, NOTHING, openBank, type Tx, turn } from './transaction-fixture.ts';

/** Whether it settles when everything that is ready has run. */
const isDone = async (promise: Promise<unknown>): Promise<boolean> => {
  let isSettled = false;
  const settle = (): void => {
    isSettled = true;
  };
  promise.then(settle, settle);
  await turn();
  return isSettled;
};

describe('locks', () => {
  test('[TXN-7] are granted in the order in which they were asked for, at each end', async () => {
    const { engine, begin } = await openBank();
    const order: number[] = [];
    const [first, ...others] = [begin(), begin(), begin()] as [Tx, Tx, Tx];
    await first.lock('a');
    await first.lock('a');
    const waiting = others.map(async (tx, at) => {
      await tx.lock('a');
      order.push(at);
      tx.raw.rollback();
    });
    expect(await isDone(waiting[0]!)).toBe(false);
    await first.commit();
    await Promise.all(waiting);
    expect(order).toEqual([0, 1]);
    expect(await keptBy(engine)).toEqual(NOTHING);
  });

  test.each(['locks of its beginning', 'locks of its commit'])(
    '[TXN-7] [TXN-9] one that ends while it waits takes no more of them: %s',
    async (which) => {
      const { engine, begin } = await openBank();
      const holder = begin();
      await holder.lock('a');
      let waiting: Tx;
      if (which === 'locks of its beginning') {
        const names = ['a', 'b'].map((key) => ['accounts', key]);
        waiting = begin({ locks: names });
      } else {
        waiting = begin();
        await waiting.accounts.put({ id: 'a', balance: 1 }, { id: 'b', balance: 1 });
        waiting.commit().catch(() => undefined);
      }
      await turn();
      // As their tab goes: the first gives its lock to the second, which ends before it knows.
      holder.raw.rollback();
      waiting.raw.rollback();
      await turn();
      const next = begin();
      expect(await isDone(Promise.all([next.lock('a'), next.lock('b')]))).toBe(true);
      next.raw.rollback();
      expect(await keptBy(engine)).toEqual(NOTHING);
    },
  );

  test('[TXN-7] whoever gets one sees what its former holder has committed, and commits', async () => {
    const { begin, accounts } = await openBank();
    const run = async (): Promise<void> => {
      const tx = begin();
      await tx.lock('a');
      const balance = (await tx.accounts.get('a'))?.['balance'] as number;
      await turn();
      await tx.accounts.update('a', { balance: balance + 1 });
      await tx.commit();
    };
    await Promise.all(Array.from({ length: 10 }, run));
    expect(await accounts.get('a')).toMatchObject({ balance: 110 });
  });

  test('[TXN-7] a lock keeps own writes and savepoints, seen from the later snapshot', async () => {
    const { begin, accounts } = await openBank();
    const tx = begin();
    await tx.accounts.update('b', { balance: 1 });
    const savepoint = await tx.savepoint();
    await tx.accounts.update('b', { balance: 2 });
    await accounts.update('a', { balance: 7 });
    await tx.lock('a');
    expect(await tx.accounts.getMany('a', 'b')).toMatchObject([{ balance: 7 }, { balance: 2 }]);
    await tx.rollbackTo(savepoint);
    expect(await tx.accounts.getMany('a', 'b')).toMatchObject([{ balance: 7 }, { balance: 1 }]);
    expect(await codeOf(tx.commit())).toBe('ok');
  });

  test('[TXN-3] [TXN-7] a lock that comes too late for what was read is a lost race', async () => {
    const { begin, accounts } = await openBank();
    const tx = begin();
    await tx.accounts.get('a');
    await accounts.update('a', { balance: 7 });
    expect(await codeOf(tx.lock('a'))).toBe('transaction/conflict');
    expect(await codeOf(tx.commit())).toBe('transaction/conflict');
    expect(tx.raw.rollback()).toEqual({ locks: [['accounts', 'a']] });
  });

  test('[TXN-7] the commit of another transaction waits for it; a plain write does not', async () => {
    const { begin, accounts } = await openBank();
    const [holder, other] = [begin(), begin()];
    await holder.lock('a');
    await other.accounts.put({ id: 'a', balance: 7 });
    const commit = other.commit();
    expect(await isDone(commit)).toBe(false);
    await accounts.put({ id: 'b', balance: 8 });
    holder.raw.rollback();
    expect(await codeOf(commit)).toBe('ok');
    expect(await accounts.getMany('a', 'b')).toMatchObject([{ balance: 7 }, { balance: 8 }]);
  });

  test('[TXN-5] an attempt may ask for locks with its beginning, and reads after it has them', async () => {
    const { begin } = await openBank();
    const holder = begin();
    await holder.lock('a');
    const next = begin({
      locks: [
        ['accounts', 'b'],
        ['accounts', 'a'],
      ],
    });
    const read = next.accounts.get('a');
    const found = drainFirst(next);
    expect(await isDone(read)).toBe(false);
    await holder.accounts.update('a', { balance: 5 });
    await holder.commit();
    expect(await read).toMatchObject({ balance: 5 });
    expect(await found).toMatchObject({ balance: 5 });
    await next.accounts.update('b', { balance: 5 });
    expect(await codeOf(next.commit())).toBe('ok');
  });
});

describe('circles', () => {
  test.each([2, 5])('[TXN-7] of %i are found within 50 ms; one victim is told who waits for what', async (count) => {
    const { engine, begin } = await openBank();
    const keys = ['a', 'b', 'c', 'd', 'e'].slice(0, count);
    const all = keys.map(() => begin());
    for (const [at, tx] of all.entries()) await tx.lock(keys[at]!);
    const start = performance.now();
    const results = all.map(async (tx, at) => {
      try {
        await tx.lock(keys[(at + 1) % count]!);
        await tx.commit();
        return undefined;
      } catch (error) {
        return { error: error as StoreError, afterMs: performance.now() - start };
      }
    });
    const victims = (await Promise.all(results)).filter((result) => result !== undefined);
    expect(victims).toHaveLength(1);
    const { error, afterMs } = victims[0]!;
    expect(afterMs).toBeLessThan(50);
    expect(error.code).toBe('transaction/deadlock');
    const cycle = error.details['cycle'] as { transaction: number; collection: string; key: string }[];
    expect(new Set(cycle.map(({ transaction }) => transaction))).toEqual(new Set(all.map(({ raw }) => raw.id)));
    expect(cycle).toHaveLength(count);
    // Each waits for what the next one holds.
    for (const [at, { key }] of cycle.entries()) {
      const holder = all[keys.indexOf(key)]!.raw.id;
      expect(cycle[(at + 1) % count]!.transaction).toBe(holder);
    }
    expect(await keptBy(engine)).toEqual(NOTHING);
  });

  test('[TXN-7] the victim has ended; its locks are free for the others', async () => {
    const { begin } = await openBank();
    const [one, two] = [begin(), begin()];
    await one.lock('a');
    await two.lock('b');
    const waits = one.lock('b');
    expect(await codeOf(two.lock('a'))).toBe('transaction/deadlock');
    await waits;
    expect(await codeOf(two.accounts.get('a'))).toBe('transaction/deadlock');
    expect(await codeOf(two.commit())).toBe('transaction/deadlock');
    expect(two.raw.rollback()).toBeUndefined();
    expect(await codeOf(one.commit())).toBe('ok');
  });

  test('[TXN-7] a commit that would wait in a circle gives way, as a lost race', async () => {
    const { begin } = await openBank();
    const [one, two] = [begin(), begin()];
    await one.lock('a');
    await two.lock('b');
    await one.accounts.put({ id: 'b', balance: 1 });
    await two.accounts.put({ id: 'a', balance: 1 });
    const commits = [one.commit(), two.commit()].map(codeOf);
    expect((await Promise.all(commits)).sort()).toEqual(['ok', 'transaction/conflict']);
  });

  test('[TXN-5] [TXN-7] an attempt that asks for locks ahead gives way to who has asked by hand', async () => {
    const { begin } = await openBank();
    const byHand = begin();
    await byHand.lock('b');
    const ahead = begin({
      locks: [
        ['accounts', 'a'],
        ['accounts', 'b'],
      ],
    });
    const read = ahead.accounts.get('a');
    await turn();
    await byHand.lock('a');
    expect(await read).toMatchObject({ balance: 100 });
    await byHand.accounts.update('a', { balance: 1 });
    expect(await codeOf(byHand.commit())).toBe('ok');
    await ahead.accounts.update('a', { balance: 2 });
    expect(await codeOf(ahead.commit())).toBe('transaction/conflict');
  });

  test('[TXN-7] those who wait behind each other are no circle', async () => {
    const { begin } = await openBank();
    const [one, two, three] = [begin(), begin(), begin()] as [Tx, Tx, Tx];
    await one.lock('a');
    await two.lock('b');
    const second = two.lock('a');
    const third = three.lock('a');
    await one.commit();
    await second;
    await two.commit();
    await third;
    expect(await codeOf(three.commit())).toBe('ok');
  });

  test('[TXN-7] a circle through those who wait before one', async () => {
    const { begin } = await openBank();
    const [holder, before, last] = [begin(), begin(), begin()] as [Tx, Tx, Tx];
    await holder.lock('a');
    await last.lock('b');
    const first = before.lock('a');
    const second = last.lock('a');
    // The holder of a would wait for b, which last holds, who waits for a.
    expect(await codeOf(holder.lock('b'))).toBe('transaction/deadlock');
    await first;
    await before.commit();
    await second;
    expect(await codeOf(last.commit())).toBe('ok');
  });
});

async function drainFirst(tx: Tx): Promise<unknown> {
  return (await tx.accounts.find({ id: 'a' }))[0];
}
