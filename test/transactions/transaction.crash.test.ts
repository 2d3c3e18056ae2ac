/**
 * Goal: a crash at any write of the storage leaves each transaction whole or not at all, and keeps what was acknowledged.
 * Method: transfers between accounts, each with its receipt in another collection, run once counting writes; then once
 * for each write, which is the last that storage sees.
 */
import { describe, expect, test } from 'vitest';
import type { EngineOptions } from '../../src/protocol/engine-api.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { createMemoryStorage } from '../../worker/storage/index.ts';
import { createMemoryImage, openOnImage, openOnStorage } from '../engine/engine-fixture.ts';
import { VERIFY, verbsOf } from '../engine/engine-verbs.ts';
import { createFaultyStorage } from '../fakes/faulty-storage.ts';
import { ACCOUNTS, beginOn } from './transaction-fixture.ts';

const COLD: Partial<EngineOptions> = { cacheBytesMax: 0 };
const IDS = ['a', 'b', 'c', 'd'];
const SUM = 400;
const TRANSFERS = 12;

async function open(engine: Engine): Promise<void> {
  const tx = beginOn(engine);
  await tx.accounts.create(...IDS.map((id) => ({ id, balance: SUM / IDS.length })));
  await tx.commit();
}

/** Moves money, leaves a receipt; some of them large, some after a detour that is taken back. */
async function transfer(engine: Engine, n: number): Promise<void> {
  const tx = beginOn(engine, { durability: n % 4 === 0 ? 'strict' : 'relaxed' });
  const [from, to] = [IDS[n % 4]!, IDS[(n + 1) % 4]!];
  await tx.accounts.update(from, { $inc: { balance: -n } });
  const savepoint = await tx.savepoint();
  await tx.accounts.updateMany({}, { balance: 0 });
  await tx.transfers.create({ id: 'never' });
  await tx.rollbackTo(savepoint);
  await tx.accounts.update(to, { $inc: { balance: n } });
  await tx.transfers.create({ id: n, from, to, amount: n, ...(n % 3 === 0 && { big: 'x'.repeat(60_000) }) });
  await tx.commit();
}

async function live(engine: Engine, done: () => void): Promise<void> {
  await open(engine);
  done();
  for (let n = 1; n <= TRANSFERS; n += 1) {
    // One that never ends is there all the time.
    await beginOn(engine).transfers.create({ id: 'never', n });
    await transfer(engine, n);
    done();
    if (n % 5 === 0) await engine.checkpoint();
  }
  await engine.close();
}

async function countWrites(): Promise<number> {
  const storage = createFaultyStorage(createMemoryStorage(createMemoryImage()));
  await live(await openOnStorage(storage, ACCOUNTS, COLD), () => undefined);
  return storage.writes;
}

const writes = await countWrites();

describe.each(['lost', 'stored-unanswered'] as const)('a crash whose write is %s', (fate) => {
  test.each(Array.from({ length: writes }, (_, at) => at + 1))('[TXN-4] [B16] at write %i', async (write) => {
    const image = createMemoryImage();
    const crash = { write, fate, afterwards: 'reject' } as const;
    const storage = createFaultyStorage(createMemoryStorage(image), { crash });
    let acknowledged = 0;
    try {
      await live(await openOnStorage(storage, ACCOUNTS, COLD), () => (acknowledged += 1));
    } catch {
      expect(storage.hasCrashed).toBe(true);
    }
    const engine = await openOnImage(image, ACCOUNTS, COLD);
    const accounts = await verbsOf(engine, 'accounts').all();
    const transfers = await verbsOf(engine, 'transfers').all();
    const stored = accounts.length === 0 ? 0 : transfers.length + 1;
    expect(stored).toBeGreaterThanOrEqual(acknowledged);
    expect(stored).toBeLessThanOrEqual(acknowledged + 1);
    // The receipts say what the balances must be.
    const expected = new Map(IDS.map((id) => [id, SUM / IDS.length]));
    for (const [at, receipt] of transfers.entries()) {
      expect(receipt['id']).toBe(at + 1);
      for (const [id, sign] of [
        [receipt['from'], -1],
        [receipt['to'], 1],
      ] as const)
        expected.set(id as string, expected.get(id as string)! + sign * (receipt['amount'] as number));
    }
    if (accounts.length > 0) expect(new Map(accounts.map(({ id, balance }) => [id, balance]))).toEqual(expected);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
    expect(image.blobs.size).toBe(transfers.filter((row) => 'big' in row).length);
    await engine.close();
  });
});

test('[TXN-4] crashes fall between the writes of checkpoints, too', () => {
  expect(writes).toBeGreaterThan(15);
});
