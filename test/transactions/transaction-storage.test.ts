/** Goal: a transaction is one commit of the log, with its own durability, and a failed one leaves no trace. Method: a storage that is watched and held. */
import { describe, expect, test } from 'vitest';
import type { Engine } from '../../worker/engine/index.ts';
import { createMemoryStorage, type Storage } from '../../worker/storage/index.ts';
import { createMemoryImage, openOnImage, openOnStorage } from '../engine/engine-fixture.ts';
import { codeOf, VERIFY, verbsOf } from '../engine/engine-verbs.ts';
import { createHeldStorage, type HeldStorage, turn } from '../engine/held-storage.ts';
import { interceptStorage } from '../fakes/intercepted-storage.ts';
import { ACCOUNTS, beginOn, keptBy, NOTHING } from './transaction-fixture.ts';

/** In memory, and said to be IndexedDB, so that durability is told. */
function watched(): { readonly storage: Storage; readonly appends: string[] } {
  const inner = interceptStorage(createMemoryStorage(createMemoryImage()), (_operation, run) => run());
  const appends: string[] = [];
  const append: Storage['log']['append'] = (batch) => {
    appends.push(batch.durability);
    return inner.log.append(batch);
  };
  return { storage: { ...inner, kind: 'indexeddb', log: { ...inner.log, append } }, appends };
}

async function openHeld(): Promise<{ readonly engine: Engine; readonly storage: HeldStorage }> {
  const image = createMemoryImage();
  const storage = createHeldStorage(createMemoryStorage(image));
  const engine = await openOnStorage(storage, ACCOUNTS);
  await verbsOf(engine, 'accounts').create({ id: 'a', balance: 1 }, { id: 'b', balance: 1 });
  return { engine, storage };
}

describe('durability', () => {
  test.each(['strict', 'relaxed', 'deferred'] as const)('[TXN-12] [B2] %s is given and told', async (durability) => {
    const { storage, appends } = watched();
    const engine = await openOnStorage(storage, ACCOUNTS);
    appends.length = 0;
    const tx = beginOn(engine, { durability });
    await tx.accounts.create({ id: 'a' });
    await tx.transfers.create({ id: 't' });
    expect((await tx.commit()).durability).toBe(durability);
    if (durability === 'deferred') {
      expect(appends).toEqual([]);
      expect(await verbsOf(engine, 'transfers').count()).toBe(1);
    }
    await engine.close();
    expect(appends).toEqual([durability === 'strict' ? 'strict' : 'relaxed']);
  });

  test('[TXN-12] the default is that of the store', async () => {
    const { storage } = watched();
    const engine = await openOnStorage(storage, ACCOUNTS, { durability: 'strict' });
    const tx = beginOn(engine);
    await tx.accounts.create({ id: 'a' });
    expect((await tx.commit()).durability).toBe('strict');
  });

  test('[TXN-12] a call inside has none of its own', async () => {
    const { engine } = await openHeld();
    const tx = beginOn(engine);
    expect(await codeOf(verbsOf(tx.raw, 'accounts', 'strict').create({ id: 'z' }))).toBe('transaction/invalid-option');
    tx.raw.rollback();
  });
});

describe('storage', () => {
  test('[TXN-4] one append for all of its collections', async () => {
    const { storage, appends } = watched();
    const engine = await openOnStorage(storage, ACCOUNTS);
    appends.length = 0;
    const tx = beginOn(engine);
    await tx.accounts.create({ id: 'a' }, { id: 'b' });
    await tx.accounts.update('a', { n: 1 });
    await tx.transfers.create({ id: 't' });
    expect(appends).toEqual([]);
    await tx.commit();
    expect(appends).toHaveLength(1);
  });

  test('[TXN-1] [TXN-4] deferred: a part of a transaction is never shown by a write that came later', async () => {
    const { engine, storage } = await openHeld();
    storage.hold('log.append');
    const tx = beginOn(engine);
    await tx.accounts.update('a', { balance: 2 });
    await tx.transfers.create({ id: 't' });
    const commit = tx.commit();
    await turn();
    expect(await verbsOf(engine, 'transfers').count()).toBe(0);
    await verbsOf(engine, 'accounts', 'deferred').update('b', { balance: 2 });
    expect(await verbsOf(engine, 'accounts').get('a')).toMatchObject({ balance: 2 });
    expect(await verbsOf(engine, 'transfers').count()).toBe(1);
    await storage.release();
    await commit;
  });

  test('[TXN-4] [TXN-9] [B1] one whose append fails leaves no trace', async () => {
    const { engine, storage } = await openHeld();
    storage.hold('log.append');
    const tx = beginOn(engine);
    await tx.accounts.update('a', { balance: 2 });
    await tx.transfers.create({ id: 't', big: 'x'.repeat(50_000) });
    const commit = codeOf(tx.commit());
    await turn();
    await storage.failOldest('storage/quota');
    await storage.release();
    expect(await commit).toBe('storage/quota');
    expect(await verbsOf(engine, 'accounts').get('a')).toMatchObject({ balance: 1 });
    expect(await verbsOf(engine, 'transfers').count()).toBe(0);
    expect(await keptBy(engine)).toEqual(NOTHING);
    const again = beginOn(engine);
    await again.accounts.update('a', { $inc: { balance: 1 } });
    await again.commit();
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('[TXN-3] [B6] one that waits behind a failed append is stored, on what was there before', async () => {
    const { engine, storage } = await openHeld();
    storage.hold('log.append');
    const lost = codeOf(verbsOf(engine, 'accounts').update('a', { balance: 100 }));
    await turn();
    const tx = beginOn(engine);
    await tx.accounts.update('b', { $inc: { balance: 1 } });
    const commit = codeOf(tx.commit());
    await turn();
    await storage.failOldest('storage/quota');
    await storage.release();
    expect([await lost, await commit]).toEqual(['storage/quota', 'ok']);
    expect(await verbsOf(engine, 'accounts').all()).toEqual([
      { id: 'a', balance: 1 },
      { id: 'b', balance: 2 },
    ]);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('[TXN-3] whoever lost to a commit that then failed may win', async () => {
    const { engine, storage } = await openHeld();
    storage.hold('log.append');
    const lost = codeOf(verbsOf(engine, 'accounts').update('a', { balance: 100 }));
    await turn();
    const tx = beginOn(engine);
    await tx.accounts.update('a', { $inc: { balance: 1 } });
    const commit = codeOf(tx.commit());
    await turn();
    await storage.failOldest('storage/quota');
    await storage.release();
    expect([await lost, await commit]).toEqual(['storage/quota', 'transaction/conflict']);
    const again = beginOn(engine);
    await again.accounts.update('a', { $inc: { balance: 1 } });
    expect(await codeOf(again.commit())).toBe('ok');
    expect(await verbsOf(engine, 'accounts').get('a')).toMatchObject({ balance: 2 });
  });

  test('[TXN-9] one that is rolled back while its commit is being stored is stored, and frees everything', async () => {
    const { engine, storage } = await openHeld();
    storage.hold('log.append');
    const tx = beginOn(engine);
    await tx.accounts.update('a', { balance: 2 });
    await tx.lock('b');
    const commit = codeOf(tx.commit());
    await turn();
    tx.raw.rollback();
    expect(await keptBy(engine)).toEqual(NOTHING);
    await storage.release();
    expect(await commit).toBe('ok');
    expect(await verbsOf(engine, 'accounts').get('a')).toMatchObject({ balance: 2 });
  });

  test('[TXN-2] a snapshot outlives checkpoints, compaction and an empty cache', async () => {
    const image = createMemoryImage();
    const engine = await openOnImage(image, ACCOUNTS, { cacheBytesMax: 0 });
    const accounts = verbsOf(engine, 'accounts');
    await accounts.create(
      ...Array.from({ length: 2_000 }, (_, id) => ({ id, balance: 1, owner: `o${id % 10}`, pad: 'x'.repeat(100) })),
    );
    await engine.checkpoint();
    const [tx, reader] = [beginOn(engine), beginOn(engine, { readOnly: true })];
    await tx.accounts.updateMany({ owner: 'o1' }, { $inc: { balance: 1 } });
    const savepoint = await tx.savepoint();
    await accounts.deleteMany({ owner: 'o2' });
    await accounts.updateMany({ owner: 'o3' }, { balance: 50 });
    await engine.checkpoint();
    await engine.compact({ signal: undefined, onProgress: undefined });
    await engine.checkpoint();
    expect(await reader.accounts.count({ owner: 'o2' })).toBe(200);
    expect((await reader.accounts.find({ balance: 1 })).length).toBe(2_000);
    expect(await tx.accounts.count({ balance: 2 })).toBe(200);
    await tx.accounts.deleteMany({ owner: 'o1' });
    await tx.rollbackTo(savepoint);
    expect(await tx.accounts.count({ owner: 'o1', balance: 2 })).toBe(200);
    expect(await codeOf(tx.commit())).toBe('ok');
    expect(await reader.accounts.count()).toBe(2_000);
    await reader.commit();
    await engine.close();
    const reopened = await openOnImage(image, ACCOUNTS);
    expect(await verbsOf(reopened, 'accounts').count({ balance: 2 })).toBe(200);
    expect(await verbsOf(reopened, 'accounts').count()).toBe(1_800);
    expect((await reopened.verify(VERIFY)).sound).toBe(true);
  });
});
