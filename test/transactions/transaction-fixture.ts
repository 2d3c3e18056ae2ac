/** Engines on memory storage with transactions that are driven by hand. */

import type { Key } from '../../src/base/row.ts';
import { toBeginOptions } from '../../src/protocol/begin-options.ts';
import type { CollectionSpec } from '../../src/protocol/definition.ts';
import type { EngineApi, EngineTransaction, WriteOutcome } from '../../src/protocol/engine-api.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { collection, createMemoryImage, index, openOnImage } from '../engine/engine-fixture.ts';
import { type Verbs, verbsOf } from '../engine/engine-verbs.ts';

export const ACCOUNTS: readonly CollectionSpec[] = [
  collection('accounts', [index('owner'), index('balance'), index('email', { unique: true, sparse: true })]),
  collection('transfers', [index('from')]),
];

export type Tx = {
  readonly raw: EngineTransaction;
  readonly accounts: Verbs;
  readonly transfers: Verbs;
  lock(key: Key, collection?: string): Promise<void>;
  savepoint(): Promise<number>;
  rollbackTo(savepoint: number): Promise<void>;
  commit(): Promise<WriteOutcome>;
};

export function beginOn(engine: EngineApi, options: object = {}): Tx {
  const raw = engine.begin(toBeginOptions(options));
  return {
    raw,
    accounts: verbsOf(raw, 'accounts'),
    transfers: verbsOf(raw, 'transfers'),
    lock: async (key, name = 'accounts') => raw.lock(name, key),
    savepoint: async () => raw.savepoint(),
    rollbackTo: async (savepoint) => raw.rollbackTo(savepoint),
    commit: async () => raw.commit(),
  };
}

/** Accounts `a` to `e` with a balance of 100 each. */
export async function openBank(): Promise<{
  readonly engine: Engine;
  readonly begin: (options?: object) => Tx;
  readonly accounts: Verbs;
  readonly transfers: Verbs;
}> {
  const engine = await openOnImage(createMemoryImage(), ACCOUNTS);
  const accounts = verbsOf(engine, 'accounts');
  await accounts.create(...['a', 'b', 'c', 'd', 'e'].map((id) => ({ id, owner: `owner of ${id}`, balance: 100 })));
  return {
    engine,
    begin: (options) => beginOn(engine, options),
    accounts,
    transfers: verbsOf(engine, 'transfers'),
  };
}

/** What open transactions keep: nothing, once all have ended. */
export async function keptBy(engine: EngineApi): Promise<unknown> {
  const { openTransactions, openSnapshots } = await engine.health();
  return { openTransactions, openSnapshots };
}

export const NOTHING = { openTransactions: 0, openSnapshots: 0 };

/** Resolves after everything that is ready has run. */
export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
