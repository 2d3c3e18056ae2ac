/** Goal: the rules of transactions, one by one. Method: transactions on an engine in memory, interleaved by hand. */
import { describe, expect, test } from 'vitest';
import type { ChangeEvent } from '../../src/protocol/engine-api.ts';
import { collection, createMemoryImage, index, openOnImage } from '../engine/engine-fixture.ts';
import { codeOf, VERIFY, verbsOf } from '../engine/engine-verbs.ts';
import { beginOn, keptBy, NOTHING, openBank, turn } from './transaction-fixture.ts';

describe('snapshot', () => {
  test('[TXN-2] reads what was visible at the beginning, whatever is committed meanwhile', async () => {
    const { begin, accounts, transfers } = await openBank();
    const tx = begin();
    await accounts.update('a', { balance: 1 });
    await accounts.create({ id: 'f', balance: 5 });
    await transfers.create({ id: 't1', from: 'a' });
    expect(await tx.accounts.get('a')).toMatchObject({ balance: 100 });
    expect(await tx.accounts.count()).toBe(5);
    expect(await tx.accounts.find({ balance: { $lt: 50 } })).toEqual([]);
    expect(await tx.transfers.count({ from: 'a' })).toBe(0);
    tx.raw.rollback();
    expect(await accounts.count()).toBe(6);
  });

  test('[TXN-2] reads its own writes, by every kind of read', async () => {
    const { begin } = await openBank();
    const tx = begin();
    await tx.accounts.update('a', { $inc: { balance: -30 } });
    await tx.accounts.create({ id: 'f', owner: 'new', balance: 30 });
    await tx.accounts.delete('b');
    await tx.accounts.updateMany({ id: { $in: ['c', 'd'] } }, { owner: 'both' });
    expect(await tx.accounts.get('a')).toMatchObject({ balance: 70 });
    expect(await tx.accounts.getMany('a', 'b', 'f')).toMatchObject([{ balance: 70 }, undefined, { balance: 30 }]);
    expect((await tx.accounts.find({ balance: { $lt: 100 } }, { sort: [['balance', 1]] })).map(({ id }) => id)).toEqual(
      ['f', 'a'],
    );
    expect(await tx.accounts.count({ owner: 'both' })).toBe(2);
    expect(await tx.accounts.distinct('owner')).toEqual(['both', 'new', 'owner of a', 'owner of e']);
    const page = await tx.accounts.page({}, 2, { sort: [['id', 1]] });
    expect(page.rows.map(({ id }) => id)).toEqual(['a', 'c']);
    const groups = tx.raw.aggregate('accounts', [{ $group: { _id: '$owner', sum: { $sum: '$balance' } } }]);
    expect((await groups.next(10)).rows).toContainEqual({ _id: 'both', sum: 200 });
    expect((await tx.accounts.explain({ owner: 'both' })).rowsGiven).toBe(2);
    await tx.commit();
  });

  test('[TXN-2] a cursor goes on with what it began with, whatever its transaction writes', async () => {
    const { begin } = await openBank();
    const tx = begin();
    await tx.accounts.update('a', { balance: 99 });
    const cursor = tx.raw.find('accounts', { selector: {}, sort: [['id', 1]], limit: undefined, skip: 0 });
    const first = await cursor.next(1);
    await tx.accounts.deleteMany({});
    const rest = await cursor.next(10);
    expect([...first.rows, ...rest.rows].map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(await tx.accounts.count()).toBe(0);
    tx.raw.rollback();
  });

  test('[TXN-4] nobody else sees it before its commit, and all of it after', async () => {
    const { engine, begin, accounts, transfers } = await openBank();
    const tx = begin();
    await tx.accounts.update('a', { $inc: { balance: -10 } });
    await tx.accounts.update('b', { $inc: { balance: 10 } });
    await tx.transfers.create({ id: 't1', from: 'a', to: 'b', amount: 10 });
    expect(await accounts.get('a')).toMatchObject({ balance: 100 });
    expect(await transfers.count()).toBe(0);
    expect(await tx.commit()).toEqual({ durability: 'none', value: undefined });
    expect(await accounts.getMany('a', 'b')).toMatchObject([{ balance: 90 }, { balance: 110 }]);
    expect(await transfers.all()).toEqual([{ id: 't1', from: 'a', to: 'b', amount: 10 }]);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
    expect(await keptBy(engine)).toEqual(NOTHING);
  });

  test('[TXN-4] its changes are told in one turn, net, for all collections', async () => {
    const { engine, begin } = await openBank();
    const told: string[] = [];
    let turns = 0;
    const tell = (events: readonly ChangeEvent[]): void => {
      if (told.length === 0) queueMicrotask(() => (turns = told.length));
      for (const { type, key, before, row } of events)
        told.push(`${type} ${key} ${before?.['balance']} ${row?.['balance']}`);
    };
    engine.subscribe('accounts', tell);
    engine.subscribe('transfers', tell);
    const tx = begin();
    await tx.accounts.update('a', { balance: 1 });
    await tx.accounts.update('a', { balance: 2 });
    await tx.accounts.create({ id: 'f', balance: 3 });
    await tx.accounts.delete('f');
    await tx.accounts.delete('b');
    await tx.transfers.create({ id: 't', balance: 4 });
    await tx.commit();
    expect(told).toEqual(['update a 100 2', 'delete b 100 undefined', 'create t undefined 4']);
    expect(turns).toBe(3);
  });

  test('[TXN-2] several hundred rows through every index, in one transaction', async () => {
    const { engine, begin, accounts } = await openBank();
    const tx = begin();
    await tx.accounts.create(
      ...Array.from({ length: 500 }, (_, at) => ({ id: `n${at}`, owner: `o${at % 7}`, balance: at })),
    );
    await tx.accounts.updateMany({ owner: 'o3' }, { $inc: { balance: 1_000 } });
    await tx.accounts.deleteMany({ owner: 'o4' });
    expect(await tx.accounts.count({ balance: { $gte: 1_000 } })).toBe(71);
    await tx.commit();
    expect(await accounts.count()).toBe(505 - 71);
    expect(await accounts.count({ balance: { $gte: 1_000 } })).toBe(71);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('[TXN-4] rows that are too large for a page', async () => {
    const { engine, begin, accounts } = await openBank();
    const big = 'x'.repeat(100_000);
    const tx = begin();
    await tx.accounts.create({ id: 'big', big });
    await tx.accounts.update('big', { n: 1 });
    expect(await tx.accounts.find({ n: 1 })).toEqual([{ id: 'big', big, n: 1 }]);
    await tx.commit();
    expect(await accounts.get('big')).toEqual({ id: 'big', big, n: 1 });
    const second = begin();
    await second.accounts.update('big', { n: 2 });
    expect((await second.accounts.get('big'))?.['n']).toBe(2);
    await second.commit();
    expect(await accounts.get('big')).toEqual({ id: 'big', big, n: 2 });
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });
});

describe('races', () => {
  test('[TXN-3] a key that was read and has changed: no lost update', async () => {
    const { begin, accounts } = await openBank();
    const [one, two] = [begin(), begin()];
    for (const tx of [one, two]) {
      const { balance } = (await tx.accounts.get('a')) as unknown as { balance: number };
      await tx.accounts.update('a', { balance: balance + 1 });
    }
    await one.commit();
    expect(await codeOf(two.commit())).toBe('transaction/conflict');
    expect(await accounts.get('a')).toMatchObject({ balance: 101 });
    expect(two.raw.rollback()).toEqual({ locks: [['accounts', 'a']] });
  });

  test('[TXN-3] a key that was read as absent', async () => {
    const { begin, accounts } = await openBank();
    const tx = begin();
    expect(await tx.accounts.get('z')).toBeUndefined();
    await tx.accounts.update('a', { balance: 0 });
    await accounts.create({ id: 'z' });
    expect(await codeOf(tx.commit())).toBe('transaction/conflict');
  });

  test('[TXN-3] write skew: each reads what the other writes', async () => {
    const { begin } = await openBank();
    const [one, two] = [begin(), begin()];
    await one.accounts.get('b');
    await two.accounts.get('a');
    await one.accounts.update('a', { balance: 0 });
    await two.accounts.update('b', { balance: 0 });
    await one.commit();
    expect(await codeOf(two.commit())).toBe('transaction/conflict');
  });

  test.each([
    ['a row that comes to match', { id: 'z', owner: 'rich', balance: 2_000 }],
    ['a row that leaves', { id: 'a', owner: 'x', balance: 2_000 }],
  ])('[TXN-3] phantoms of a range: %s', async (_name, row) => {
    const { begin, accounts } = await openBank();
    const tx = begin();
    expect(await tx.accounts.find({ balance: { $gte: 1_000 } })).toEqual([]);
    expect(await tx.accounts.count({ owner: 'owner of a' })).toBe(1);
    await tx.transfers.create({ id: 't' });
    await accounts.put(row);
    expect(await codeOf(tx.commit())).toBe('transaction/conflict');
  });

  test('[TXN-3] what does not touch an answer is no conflict', async () => {
    const { begin, accounts, transfers } = await openBank();
    const tx = begin();
    await tx.accounts.find({ balance: { $gte: 1_000 } });
    await tx.accounts.get('a');
    await tx.accounts.update('b', { balance: 7 });
    await accounts.update('c', { balance: 8 });
    await accounts.create({ id: 'z', balance: 9 });
    await transfers.create({ id: 't' });
    expect(await codeOf(tx.commit())).toBe('ok');
  });

  test.each([
    ['behind the last row', 500, 'ok'],
    ['before the last row', 1, 'transaction/conflict'],
  ])('[TXN-3] a find with a limit depends on nothing %s', async (_name, balance, code) => {
    const { begin, accounts } = await openBank();
    const tx = begin();
    await tx.accounts.find({ balance: { $gte: 0 } }, { sort: [['balance', 1]], limit: 2 });
    await tx.transfers.create({ id: 't' });
    await accounts.create({ id: 'z', balance });
    expect(await codeOf(tx.commit())).toBe(code);
  });

  test.each([
    ['distinct', (tx: Tx) => tx.accounts.distinct('owner', { balance: 100 })],
    ['page', (tx: Tx) => tx.accounts.page({ balance: 100 }, 2)],
    ['updateMany', (tx: Tx) => tx.accounts.updateMany({ balance: 100 }, { seen: true })],
    ['deleteMany', (tx: Tx) => tx.accounts.deleteMany({ balance: 100 })],
    ['aggregate', (tx: Tx) => drainAll(tx.raw.aggregate('accounts', [{ $match: { balance: 100 } }, { $count: 'n' }]))],
    [
      '$lookup',
      (tx: Tx) =>
        drainAll(
          tx.raw.aggregate('transfers', [
            { $lookup: { from: 'accounts', localField: 'from', foreignField: 'id', as: 'who' } },
          ]),
        ),
    ],
    [
      'include',
      (tx: Tx) =>
        drainAll(
          tx.raw.find('transfers', {
            selector: {},
            sort: [],
            limit: undefined,
            skip: 0,
            include: { who: { from: 'accounts', on: ['from', 'id'] } },
          }),
        ),
    ],
  ])('[TXN-3] %s is checked as well', async (_name, read) => {
    const { begin, accounts } = await openBank();
    const [tx, other] = [begin(), begin()];
    for (const each of [tx, other]) {
      await read(each);
      await each.transfers.create({ id: `t${each.raw.id}` });
    }
    await accounts.create({ id: 'z', balance: 100 });
    expect(await codeOf(tx.commit())).toBe('transaction/conflict');
    await accounts.delete('z');
    expect(await codeOf(other.commit())).toBe('transaction/conflict');
  });

  test.each([
    ['an insert', 0],
    ['a delete', 400],
  ])('[TXN-3] %s of many rows by others clashes with what it touches, and with nothing else', async (_name, count) => {
    const { begin, transfers } = await openBank();
    const rows = Array.from({ length: 400 }, (_, at) => ({ id: `n${at}`, from: `o${at % 4}`, amount: at }));
    const change = (): Promise<unknown> =>
      count === 0 ? transfers.create(...rows) : transfers.deleteMany({ from: { $in: ['o0', 'o1', 'o2', 'o3'] } });
    if (count > 0) await transfers.create(...rows);
    const all = [begin(), begin(), begin(), begin()] as const;
    await all[0].transfers.get('n7');
    await all[1].transfers.count({ from: 'o2' });
    await all[2].transfers.find({ amount: { $gt: 500 } });
    await all[3].transfers.get('other');
    for (const tx of all) await tx.accounts.create({ id: `t${tx.raw.id}` });
    await change();
    const codes = await Promise.all(all.map((tx) => codeOf(tx.commit())));
    expect(codes).toEqual(['transaction/conflict', 'transaction/conflict', 'ok', 'ok']);
  });

  test('[TXN-3] a put that nobody has read before it does not care what it replaces', async () => {
    const { begin, accounts } = await openBank();
    const tx = begin();
    await tx.accounts.put({ id: 'a', balance: 5 });
    await accounts.update('a', { balance: 6 });
    expect(await codeOf(tx.commit())).toBe('ok');
    expect(await accounts.get('a')).toEqual({ id: 'a', balance: 5 });
  });

  test('[TXN-3] a refusal was told from what was read, too', async () => {
    const { begin, accounts } = await openBank();
    const tx = begin();
    expect(await codeOf(tx.accounts.create({ id: 'a' }))).toBe('collection/duplicate-key');
    await tx.transfers.create({ id: 't', why: 'a is there' });
    await accounts.delete('a');
    expect(await codeOf(tx.commit())).toBe('transaction/conflict');
  });

  test('[TXN-3] what is under way to storage counts as committed', async () => {
    const { begin } = await openBank();
    const [one, two] = [begin(), begin()];
    await one.accounts.update('a', { $inc: { balance: 1 } });
    await two.accounts.update('a', { $inc: { balance: 1 } });
    expect(await Promise.all([codeOf(one.commit()), codeOf(two.commit())])).toEqual(['ok', 'transaction/conflict']);
    // Whoever begins now sees the winner.
    const three = begin();
    expect(await three.accounts.get('a')).toMatchObject({ balance: 101 });
    three.raw.rollback();
  });

  test('[TXN-8] one that only reads never fails, and sees one moment', async () => {
    const { begin, accounts, transfers } = await openBank();
    for (const options of [{ readOnly: true }, {}]) {
      const tx = begin(options);
      await tx.accounts.find({});
      await accounts.updateMany({}, { $inc: { balance: 1 } });
      await transfers.put({ id: 't' });
      expect(new Set((await tx.accounts.find({})).map(({ balance }) => balance)).size).toBe(1);
      expect(await codeOf(tx.commit())).toBe('ok');
    }
  });

  test('[TXN-8] a readOnly one refuses writes and locks, and goes on', async () => {
    const { begin } = await openBank();
    const tx = begin({ readOnly: true });
    expect(await codeOf(tx.accounts.create({ id: 'z' }))).toBe('transaction/read-only');
    expect(await codeOf(tx.accounts.deleteMany({}))).toBe('transaction/read-only');
    expect(await codeOf(tx.lock('a'))).toBe('transaction/read-only');
    expect(await tx.accounts.count()).toBe(5);
    expect(await codeOf(tx.commit())).toBe('ok');
  });
});

describe('constraints', () => {
  test('[TXN-10] unique indexes hold inside of it', async () => {
    const { engine, begin, accounts } = await openBank();
    const tx = begin();
    await tx.accounts.update('a', { email: 'x' });
    expect(await codeOf(tx.accounts.create({ id: 'z', email: 'x' }))).toBe('collection/duplicate-value');
    await tx.accounts.update('a', { email: 'y' });
    await tx.accounts.create({ id: 'z', email: 'x' });
    await tx.commit();
    expect(await accounts.getMany('a', 'z')).toMatchObject([{ email: 'y' }, { email: 'x' }]);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('[TXN-10] a value that another commit has taken meanwhile is a lost race, then a refusal', async () => {
    const { engine, begin, accounts } = await openBank();
    const tx = begin();
    await tx.accounts.update('a', { email: 'x' });
    await accounts.update('b', { email: 'x' });
    expect(await codeOf(tx.commit())).toBe('transaction/conflict');
    const again = begin();
    expect(await codeOf(again.accounts.update('a', { email: 'x' }))).toBe('collection/duplicate-value');
    again.raw.rollback();
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('[TXN-10] values may change places', async () => {
    const { engine, begin, accounts } = await openBank();
    await accounts.update('a', { email: 'x' });
    await accounts.update('b', { email: 'y' });
    const tx = begin();
    await tx.accounts.update('a', { email: 'z' });
    await tx.accounts.update('b', { email: 'x' });
    await tx.accounts.update('a', { email: 'y' });
    await tx.commit();
    expect(await accounts.getMany('a', 'b')).toMatchObject([{ email: 'y' }, { email: 'x' }]);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('[TXN-10] a JSON Schema is asked at the call', async () => {
    const jsonSchema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
    const engine = await openOnImage(createMemoryImage(), [collection('items', [], { jsonSchema })]);
    const tx = beginOn(engine);
    const items = verbsOf(tx.raw);
    expect(await codeOf(items.create({ id: 1 }))).toBe('collection/invalid-document');
    await items.create({ id: 1, n: 1 });
    expect(await codeOf(items.update(1, { n: 'x' }))).toBe('collection/invalid-document');
    await tx.commit();
    expect(await verbsOf(engine).all()).toEqual([{ id: 1, n: 1 }]);
  });

  test('[TXN-10] an index that was built meanwhile gets the rows too', async () => {
    const { engine, begin, accounts } = await openBank();
    const tx = begin();
    await tx.accounts.create({ id: 'z', kind: 'late' });
    await engine.createIndex('accounts', index('kind'), { signal: undefined, onProgress: undefined });
    await engine.dropIndex('accounts', 'owner');
    await tx.commit();
    expect(await accounts.count({ kind: 'late' })).toBe(1);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });
});

describe('savepoints', () => {
  test('[TXN-6] what was written since is gone, what was written before stays', async () => {
    const { engine, begin, accounts, transfers } = await openBank();
    const tx = begin();
    await tx.accounts.update('a', { balance: 1, email: 'x' });
    const first = await tx.savepoint();
    await tx.accounts.update('a', { balance: 2 });
    await tx.accounts.delete('b');
    await tx.transfers.create({ id: 't' });
    const second = await tx.savepoint();
    await tx.accounts.deleteMany({});
    await tx.rollbackTo(second);
    expect(await tx.accounts.count()).toBe(4);
    expect(await tx.accounts.find({ balance: { $lt: 50 } })).toMatchObject([{ id: 'a', balance: 2 }]);
    await tx.rollbackTo(first);
    expect(await tx.accounts.count()).toBe(5);
    expect(await tx.transfers.count()).toBe(0);
    expect(await tx.accounts.find({ balance: { $lt: 50 } })).toMatchObject([{ id: 'a', balance: 1 }]);
    await tx.accounts.update('c', { balance: 3 });
    await tx.rollbackTo(first);
    await tx.commit();
    expect(await accounts.getMany('a', 'b', 'c')).toMatchObject([{ balance: 1 }, { balance: 100 }, { balance: 100 }]);
    expect(await transfers.count()).toBe(0);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('[TXN-6] going back ends the later ones; an unknown one is refused and changes nothing', async () => {
    const { begin, accounts } = await openBank();
    const tx = begin();
    const first = await tx.savepoint();
    const second = await tx.savepoint();
    await tx.accounts.update('a', { balance: 1 });
    await tx.rollbackTo(first);
    expect(await codeOf(tx.rollbackTo(second))).toBe('transaction/unknown-savepoint');
    expect(await codeOf(tx.rollbackTo(99))).toBe('transaction/unknown-savepoint');
    await tx.accounts.update('b', { balance: 1 });
    await tx.commit();
    expect(await accounts.getMany('a', 'b')).toMatchObject([{ balance: 100 }, { balance: 1 }]);
  });

  test('[TXN-3] [TXN-6] what was read before going back still counts', async () => {
    const { begin, accounts } = await openBank();
    const tx = begin();
    const savepoint = await tx.savepoint();
    await tx.accounts.get('a');
    await tx.rollbackTo(savepoint);
    await tx.accounts.update('b', { balance: 1 });
    await accounts.update('a', { balance: 1 });
    expect(await codeOf(tx.commit())).toBe('transaction/conflict');
  });
});

describe('the end', () => {
  test('[TXN-9] a rollback leaves nothing', async () => {
    const { engine, begin, accounts, transfers } = await openBank();
    const tx = begin();
    await tx.accounts.deleteMany({});
    await tx.transfers.create({ id: 't', big: 'x'.repeat(100_000) });
    await tx.lock('a');
    expect(tx.raw.rollback()).toBeUndefined();
    expect(await accounts.count()).toBe(5);
    expect(await transfers.count()).toBe(0);
    expect(await keptBy(engine)).toEqual(NOTHING);
    const next = begin();
    await next.lock('a');
    next.raw.rollback();
  });

  test('[TXN-11] after its end every call is refused by name', async () => {
    const { begin } = await openBank();
    const [committed, rolledBack] = [begin(), begin()];
    await committed.commit();
    rolledBack.raw.rollback();
    for (const tx of [committed, rolledBack]) {
      const calls = [
        tx.accounts.get('a'),
        tx.accounts.find(),
        tx.accounts.count(),
        tx.accounts.create({ id: 'z' }),
        tx.lock('a'),
        tx.savepoint(),
        tx.rollbackTo(1),
        tx.commit(),
      ];
      expect(new Set(await Promise.all(calls.map(codeOf)))).toEqual(new Set(['transaction/ended']));
      tx.raw.rollback();
    }
  });

  test('[TXN-9] [T6] one that takes too long is rolled back, and its locks are free', async () => {
    const { engine, begin, accounts } = await openBank();
    const tx = begin({ timeoutMs: 20 });
    await tx.accounts.update('a', { balance: 0 });
    await tx.lock('a');
    const waiting = begin();
    const lock = waiting.lock('a');
    await lock;
    expect(await codeOf(tx.accounts.get('a'))).toBe('transaction/timeout');
    expect(await codeOf(tx.commit())).toBe('transaction/timeout');
    waiting.raw.rollback();
    expect(await accounts.get('a')).toMatchObject({ balance: 100 });
    expect(await keptBy(engine)).toEqual(NOTHING);
  });

  test('[TXN-9] closing the store ends open transactions', async () => {
    const { engine, begin } = await openBank();
    const tx = begin();
    await tx.accounts.update('a', { balance: 0 });
    await engine.close();
    expect(await codeOf(tx.commit())).toBe('store/closed');
  });

  test('[TXN-11] calls take effect in their order, awaited or not', async () => {
    const { begin, accounts } = await openBank();
    const tx = begin();
    const calls = [
      tx.accounts.update('a', { $inc: { balance: 1 } }),
      tx.accounts.update('a', { $mul: { balance: 2 } }),
      tx.accounts.get('a'),
      tx.accounts.update('a', { $inc: { balance: 1 } }),
      tx.commit(),
    ] as const;
    expect(await calls[2]).toMatchObject({ balance: 202 });
    await Promise.all(calls);
    expect(await accounts.get('a')).toMatchObject({ balance: 203 });
  });

  test('[TXN-11] a wrong call is refused and the transaction goes on', async () => {
    const { begin, accounts } = await openBank();
    const tx = begin();
    await tx.accounts.update('a', { balance: 1 });
    expect(await codeOf(tx.accounts.find({ $bad: 1 }))).toBe('query/unknown-operator');
    expect(await codeOf(tx.accounts.update('a', { id: 'other' }))).toMatch(/^update\//);
    expect(await codeOf(verbsOf(tx.raw, 'nowhere').count())).toBe('store/unknown-collection');
    expect(await codeOf(tx.lock({} as never))).toMatch(/key/);
    await tx.commit();
    expect(await accounts.get('a')).toMatchObject({ balance: 1 });
  });

  test.each([
    [{ durability: 'strict', readOnly: true }, 'transaction/invalid-option'],
    [{ durability: 'fast' }, 'transaction/invalid-option'],
    [{ retries: -1 }, 'transaction/invalid-option'],
    [{ retries: 1.5 }, 'transaction/invalid-option'],
    [{ timeoutMs: 0 }, 'transaction/invalid-option'],
    [{ readOnly: 'yes' }, 'transaction/invalid-option'],
    [{ isolation: 'snapshot' }, 'transaction/unknown-option'],
  ])('[TXN-11] wrong options are refused: %o', async (options, code) => {
    const { begin } = await openBank();
    expect(await codeOf((async () => begin(options))())).toBe(code);
  });

  test('[TXN-11] no more than 1,000 are open at a time', async () => {
    const { engine, begin } = await openBank();
    const open = Array.from({ length: 1_000 }, () => begin());
    expect(await codeOf((async () => begin())())).toBe('transaction/too-many');
    for (const { raw } of open) raw.rollback();
    expect(await keptBy(engine)).toEqual(NOTHING);
    begin().raw.rollback();
  });

  test('[TXN-9] what others commit is kept only while somebody may ask for it', async () => {
    const { engine, begin, accounts } = await openBank();
    const tx = begin();
    for (let n = 0; n < 50; n += 1) await accounts.update('a', { balance: n });
    await tx.accounts.get('b');
    await tx.accounts.update('b', { balance: 1 });
    expect(await codeOf(tx.commit())).toBe('ok');
    await turn();
    expect(await keptBy(engine)).toEqual(NOTHING);
  });
});

type Tx = ReturnType<typeof beginOn>;

async function drainAll(cursor: ReturnType<Tx['raw']['find']>): Promise<void> {
  while (!(await cursor.next(100)).done);
}
