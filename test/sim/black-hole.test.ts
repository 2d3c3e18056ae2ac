/**
 * Goal: no call of a follower waits for ever (T6). Method: a leader in the simulated browser that welcomes, says that it
 * lives, takes what it is told, and answers nothing; each kind of call is made, and must end by itself with an error that
 * has a code. A leader that does not even say that it lives is replaced, and the calls are answered.
 */
import { describe, expect, test } from 'vitest';
import { StoreError } from '../../src/base/store-error.ts';
import { StoreBase } from '../../src/client/store.ts';
import { type Call, type ClientMessage, OK, type ServerMessage } from '../../src/protocol/messages.ts';
import type { CommonMessage, FollowerData, FollowerMessage } from '../../src/protocol/tabs.ts';
import { createMemoryImage } from '../../worker/storage/index.ts';
import { awaitLock, commonChannelName, followerChannelName, storeLockName } from '../../worker/tabs/index.ts';
import { TailImage } from '../fakes/memory-tail-folder.ts';
import { type Origin, openTab, type SimTab } from './sim-tab.ts';
import { type Life, World } from './world.ts';

/** Longer than any deadline; but for long operations nothing waits more than a minute. */
const SETTLE_MS = 100_000;
const LONG_SETTLE_MS = 11 * 60_000;
const BEAT_MS = 1_500;

type How = {
  readonly takes: boolean;
  readonly beats: boolean;
  /** It answers that a transaction has begun. */
  readonly begins?: boolean;
};

/** A leader that answers nothing. */
async function leadBlackHole(world: World, { takes, beats, begins = false }: How): Promise<Life> {
  const life: Life = { isDead: false };
  const open = world.channelsFor(life);
  void awaitLock({ locks: world.locksFor(life), name: storeLockName('sim') }, new AbortController().signal);
  const common = open(commonChannelName('sim'));
  const say = (message: CommonMessage): void => common.post(message);
  const beat = (): void => {
    say({ type: 'beat', leader: 'hole' });
    world.after(BEAT_MS, life, beat);
  };
  if (beats) beat();
  const known = new Set<string>();
  common.onMessage = (message) => {
    const hello = message as CommonMessage;
    if (hello.type !== 'hello' || known.has(hello.tab)) return;
    known.add(hello.tab);
    const channel = open(followerChannelName('sim', hello.tab));
    const status = { state: 'open', reasons: [], durability: 'relaxed' } as const;
    const post = (said: FollowerMessage): void => channel.post(said);
    let taken = 0;
    let sent = 0;
    channel.onMessage = (said) => {
      const heard = said as FollowerMessage;
      if (!takes || heard.type !== 'data' || heard.number <= taken) return;
      taken = heard.number;
      post({ type: 'taken', leader: 'hole', from: 'leader', taken });
      const [calls] = (heard.message as FollowerData).page as ClientMessage;
      for (const [type, id] of begins ? calls : []) {
        if (type !== 'begin') continue;
        const message: ServerMessage = [[id, OK, undefined]];
        post({ type: 'data', leader: 'hole', from: 'leader', number: ++sent, taken, message });
      }
    };
    post({ type: 'welcome', leader: 'hole', epoch: 1, status });
  };
  await world.run(50);
  return life;
}

async function openFollower(seed: number, how: How): Promise<{ world: World; tab: SimTab }> {
  const world = new World(seed);
  const origin: Origin = { world, image: createMemoryImage(), tails: new TailImage() };
  await leadBlackHole(world, how);
  let tab: SimTab | undefined;
  void openTab(origin, 'follower').then((opened) => {
    tab = opened;
  });
  expect(await world.run(5_000, () => tab !== undefined), `seed ${seed}: it opens`).toBe(true);
  return { world, tab: tab! };
}

type Made = { readonly calls: () => readonly Promise<unknown>[]; readonly isLong?: true };
/** Goes on until somebody ends it: there is nothing that it could be told. */
type Standing = 'standing';
/** Has no answer of its own, or is made only in answer to another leader. */
type PartOfAnother = 'part';

/** How the application makes each kind of call. */
const callsOf = ({
  rows,
  transaction,
  link,
}: SimTab): { readonly [type in Call[0]]: Made | Standing | PartOfAnother } => {
  const store = new StoreBase(
    'sim',
    link,
    {} as never,
    { asObservable: () => undefined } as never,
    new Map(),
    (() => undefined) as never,
  );
  const many = Array.from({ length: 300 }, (_, at) => ({ id: `many ${at}`, n: at }));
  type Run = Parameters<SimTab['transaction']>[0];
  const inside = (...runs: ((...args: Parameters<Run>) => Promise<unknown>)[]): Made => ({
    calls: () => runs.map((run) => transaction(async (...args) => void (await run(...args)))),
  });
  const stream = async (): Promise<void> => {
    for await (const row of rows.find().stream()) void row;
  };
  return {
    get: { calls: () => [rows.get('a')] },
    getMany: { calls: () => [rows.getMany(['a', 'b'])] },
    find: {
      calls: () => [
        rows.find().then((all) => all),
        rows.find().first(),
        stream(),
        rows.aggregate([{ $count: 'n' }]).then((all) => all),
      ],
    },
    count: { calls: () => [rows.count(), rows.find({ n: 1 }).count()] },
    page: { calls: () => [rows.find().page(10)] },
    distinct: { calls: () => [rows.distinct('n')] },
    explain: { calls: () => [rows.find().explain()] },
    write: { calls: () => [rows.create({ id: 'a', n: 1 }), rows.put({ id: 'a', n: 1 })] },
    batch: { calls: () => [rows.createMany(many), rows.createMany(many.slice(0, 3))], isLong: true },
    plain: {
      calls: () => [
        rows.update('a', { n: 2 }),
        rows.delete('a'),
        rows.create({ id: 'b' }, { signal: new AbortController().signal }),
      ],
    },
    createIndex: { calls: () => [rows.createIndex('m')], isLong: true },
    dropIndex: { calls: () => [rows.dropIndex('n')] },
    indexes: { calls: () => [rows.indexes()] },
    verify: { calls: () => [store.verify()], isLong: true },
    compact: { calls: () => [store.compact(), rows.updateMany({}, { n: 3 }), rows.deleteMany({ n: 3 })], isLong: true },
    health: { calls: () => [store.health()] },
    flush: { calls: () => [link.request(['flush', 0])] },
    begin: inside(async () => undefined),
    commit: inside((tx) => tx.put({ id: 'a', n: 1 })),
    savepoint: inside((_rows, tx) => tx.savepoint()),
    rollbackTo: inside((_rows, tx) => tx.rollbackTo(0 as never)),
    lock: inside((_rows, tx) => tx.lock('rows', 'a')),
    rollback: inside(() => Promise.reject(new Error('No.'))),
    in: inside(
      (tx) => Promise.all([tx.get('a'), tx.create({ id: 'b' })]),
      (tx) => tx.find().then((all) => all),
    ),
    live: 'standing',
    subscribe: 'standing',
    migrate: 'standing',
    rows: 'part',
    unmigrated: 'part',
    recall: 'part',
    pull: 'part',
    cancel: 'part',
  };
};

const KINDS = Object.entries(callsOf({ rows: {}, transaction: () => undefined, link: {} } as never)).flatMap(
  ([type, made]) => (typeof made === 'string' ? [] : [type as Call[0]]),
);

const OF_TRANSACTION: readonly Call[0][] = ['begin', 'commit', 'savepoint', 'rollbackTo', 'lock', 'rollback', 'in'];
const HOLES: readonly (readonly [Call[0], string])[] = [
  ...KINDS.flatMap((kind) => [[kind, 'takes all'] as const, [kind, 'takes nothing'] as const]),
  ...OF_TRANSACTION.map((kind) => [kind, 'answers begin'] as const),
];

describe('a leader that says that it lives, and answers nothing', () => {
  test.each(HOLES)('[T6] %s ends by itself, when it %s', async (kind, how) => {
    const takes = how !== 'takes nothing';
    const { world, tab } = await openFollower(61, { takes, beats: true, begins: how === 'answers begin' });
    const made = callsOf(tab)[kind] as Made;
    const results = made.calls().map((call) => settlementOf(call));
    const limitMs = made.isLong === true ? LONG_SETTLE_MS : SETTLE_MS;
    const haveSettled = await world.run(limitMs, () => results.every(({ state }) => state !== 'pending'));
    expect(haveSettled, `${kind}: ${results.map(({ state }) => state)}`).toBe(true);
    for (const { error } of results) {
      if (kind === 'rollback' && how === 'answers begin') expect(error).toEqual(new Error('No.'));
      else expect(error).toBeInstanceOf(StoreError);
      if (!(error instanceof StoreError)) continue;
      expect(['call/timeout', 'transaction/timeout']).toContain((error as StoreError).code);
    }
  });
});

describe('a leader that does not say that it lives', () => {
  test('[T6] [T3] is replaced, and every kind of call is answered', async () => {
    const { world, tab } = await openFollower(62, { takes: false, beats: false });
    const calls = callsOf(tab);
    const results = KINDS.filter((kind) => !['dropIndex', 'rollback', 'rollbackTo'].includes(kind)).flatMap((kind) =>
      (calls[kind] as Made).calls().map((call) => ({ kind, ...{ settled: settlementOf(call) } })),
    );
    await world.run(SETTLE_MS, () => results.every(({ settled }) => settled.state !== 'pending'));
    const pending = results.filter(({ settled }) => settled.state === 'pending').map(({ kind }) => kind);
    expect(pending).toEqual([]);
    expect(tab.store.isLeader).toBe(true);
    // They run into each other; what they are told comes from the store, and not from waiting.
    const codes = results.map(({ settled }) => (settled.error as StoreError | undefined)?.code);
    expect(codes).not.toContain('call/timeout');
  });
});

type Settlement = { state: 'pending' | 'answered' | 'failed'; error: unknown };

function settlementOf(call: Promise<unknown>): Settlement {
  const settled: Settlement = { state: 'pending', error: undefined };
  call.then(
    () => {
      settled.state = 'answered';
    },
    (error) => {
      settled.state = 'failed';
      settled.error = error;
    },
  );
  return settled;
}
