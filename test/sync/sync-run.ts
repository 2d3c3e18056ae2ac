/**
 * One simulated life of several devices and a relay, from a seed. What devices commit is counted beside; at the end of
 * trouble everything has to come together within bounded time, and to be what was committed:
 *
 * - nothing that was committed anywhere is lost, a delete included (R1, R12);
 * - nothing counts twice: counters hold the sum of what was added to them (R1);
 * - nobody ever reads half of a transaction: transfers leave the sum of all accounts as it is (R20);
 * - what a device reads has all in it that it depends on, and nothing of it goes away again (R21, ../history/causal.ts);
 * - what several devices add to a number whose conflicts a function decides is added once (CONF-1, CONF-2);
 * - all devices and the relay hold the same rows (R10, R19), and no outbox holds anything (R10);
 * - what a device says was committed on it before, each writer's batches in their order (R8).
 */
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import type { ConflictQuestion } from '../../src/protocol/conflict-questions.ts';
import { decodeClientMessage } from '../../src/protocol/sync/index.ts';
import { SYNC_OUTBOX } from '../../src/protocol/sync-worker.ts';
import { RowDocument } from '../../worker/documents/index.ts';
import type { SocketEvents, SyncSocket } from '../../worker/sync/platform.ts';
import type { AskPage } from '../../worker/sync/sync-context.ts';
import { createManualPlatform, type ManualPlatform } from '../fakes/manual-platform.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { type CausalRead, type CausalWrite, findCausalAnomalies } from '../history/causal.ts';
import { SimRelay } from './sim-relay.ts';
import { SyncDevice } from './sync-device.ts';

export const STEPS = 120;
const DEVICES_MAX = 4;
const ACCOUNTS = 4;
const AMOUNT = 100;
/** One row that all devices change. */
const ORDER = 'o';
const ORDER_FIELDS = ['sum', 'sum', 'last', 'first', 'own', 'note'] as const;
/** From so many own changes of one row on that the log does not have, the newest count as one. */
const OWN_CHANGES_EXACT = 7;

/** After the end of all trouble, in simulated time: longer than the longest delay and the longest silence together. */
const HEAL_MS_MAX = 240_000;
const STEP_MS = 25;

const COLLECTIONS = [
  { name: 'tasks', key: 'id', fields: {} },
  { name: 'accounts', key: 'id', fields: { amount: 'counter' } as const },
  { name: 'notes', key: 'id', fields: {} },
  { name: 'likes', key: 'id', fields: { count: 'counter', labels: 'set' } as const },
  {
    ...{ name: 'orders', key: 'id', fields: {} },
    conflict: {
      sum: 'custom',
      last: 'last-write-wins',
      first: 'server-wins',
      own: 'client-wins',
      note: 'manual',
    } as const,
  },
];

type Simulated = { readonly name: string; readonly device: SyncDevice; isReachable: boolean; made: number };

export class SyncRun {
  readonly seed: number;
  readonly #random: () => number;
  readonly #clock = wholeMilliseconds(createManualPlatform());
  readonly #relay: SimRelay;
  readonly #devices: Simulated[] = [];
  readonly #alive = new Set<string>();
  readonly #deleted = new Set<string>();
  readonly #problems: string[] = [];
  readonly #history: (CausalWrite | CausalRead)[] = [];
  /** Apart from all else, which stays what it is without it. */
  readonly #randomOfNotes: () => number;
  readonly #randomOfOrders: () => number;
  /** Numbers that were stored in an outbox. */
  readonly #committed = new Set<string>();
  readonly #lastPushed = new Map<string, number>();
  #likes = 0;
  #sum = 0;
  #isExact: boolean;
  commits = 0;
  kills = 0;
  crashes = 0;
  restarts = 0;
  wipes = 0;
  cuts = 0;
  pushes = 0;
  /** Changes of the row with strategies, and lives in which its sum could be checked. */
  orders = 0;
  exact = 0;
  /** Reads and writes of which it was checked that nothing is seen before its cause. */
  notes = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.#random = createSeededRandom(seed);
    this.#randomOfNotes = createSeededRandom(seed + 2e6);
    this.#randomOfOrders = createSeededRandom(seed + 3e6);
    const faults = { losing: this.#chance(0.3), doubling: this.#chance(0.5) };
    const limits = this.#chance(0.3) ? { tailBytesMax: 1 } : {};
    // Rows that are told without their batches do not tell which of them knew of what.
    this.#isExact = !('tailBytesMax' in limits);
    // A seed of its own: what is drawn for a frame must not change what happens next.
    this.#relay = new SimRelay({ clock: this.#clock, random: createSeededRandom(seed + 1e6), faults, limits });
  }

  async run(steps: number = STEPS): Promise<void> {
    try {
      await this.#begin();
      for (let step = 0; step < steps; step++) await this.#step();
      await this.#heal();
    } catch (error) {
      const again = `npm run test:sync-sim -- --seed ${this.seed} --steps ${steps}`;
      throw new Error(`Seed ${this.seed}: ${(error as Error).message}\nAgain: ${again}`, { cause: error });
    } finally {
      for (const { device } of this.#devices) await device.close().catch(() => {});
      this.#relay.kill();
    }
  }

  async #begin(): Promise<void> {
    this.#relay.start();
    const count = 2 + Math.floor(this.#random() * (DEVICES_MAX - 1));
    for (let n = 0; n < count; n++) this.#devices.push(await this.#open(`d${n}`));
    const [first] = this.#devices;
    const accounts = Array.from({ length: ACCOUNTS }, (_, n) => ({ id: `${n}`, amount: AMOUNT }));
    await first!.device.write(...accounts.map((row) => ['accounts', row.id, row] as const), [
      'likes',
      'x',
      { id: 'x', count: 0, labels: [] },
    ]);
    await first!.device.write(['orders', ORDER, { id: ORDER, sum: 0 }]);
    // All know the accounts before trouble begins: rows of one key that two devices make are one row of both.
    await this.#until(async () => {
      for (const { device } of this.#devices) {
        if ((await device.rows('accounts')).length < ACCOUNTS || (await device.rows('orders')).length === 0)
          return false;
      }
      return true;
    }, 'the accounts to be everywhere');
  }

  async #open(name: string): Promise<Simulated> {
    const simulated: { isReachable: boolean } = { isReachable: true };
    const platform = {
      ...this.#clock,
      openSocket: (_url: string, events: SocketEvents): SyncSocket => {
        const socket = this.#relay.connect(name, () => simulated.isReachable, events);
        return {
          bufferedBytes: 0,
          send: (bytes) => {
            this.#checkSent(name, bytes);
            socket.send(bytes);
          },
          close: () => socket.close(),
        };
      },
    };
    const askPage: AskPage = async (questions) => questions.map((question) => ({ value: added(question) }));
    const device = await SyncDevice.open({ collections: COLLECTIONS, platform, askPage });
    this.#watchOutbox(device);
    await device.startSync('ws://relay');
    return Object.assign(simulated, { name, device, made: 0 });
  }

  /** In the turn in which the engine shows a commit. */
  #watchOutbox(device: SyncDevice): void {
    device.engine.subscribe(SYNC_OUTBOX, (events) => {
      for (const { row } of events) if (row !== undefined) this.#committed.add(`${row['writer']} ${row['sequence']}`);
    });
  }

  #checkSent(name: string, bytes: Uint8Array): void {
    const message = decodeClientMessage(bytes);
    if (message.type !== 'push') return;
    this.pushes++;
    const number = `${message.writer} ${message.sequence}`;
    if (!this.#committed.has(number)) this.#problems.push(`[R8] ${name} has sent what it had not committed.`);
    const last = this.#lastPushed.get(message.writer) ?? 0;
    if (message.sequence > last + 1)
      this.#problems.push(`[R8] ${name} has left out a batch before ${message.sequence}`);
    this.#lastPushed.set(message.writer, Math.max(last, message.sequence));
  }

  async #step(): Promise<void> {
    const one = this.#devices[Math.floor(this.#random() * this.#devices.length)]!;
    const dice = this.#random();
    if (dice < 0.66) await this.#commit(one);
    else if (dice < 0.78) await this.#pass(this.#random() * 600);
    else if (dice < 0.84) this.#cut(one);
    else if (dice < 0.89) one.isReachable = !one.isReachable;
    else if (dice < 0.93) await this.#killSync(one);
    else if (dice < 0.955) await this.#crash(one);
    else if (dice < 0.975) await this.#restartRelay();
    else if (dice < 0.98) await this.#wipeRelay();
    else await this.#pass(this.#random() * 40_000);
    if (this.#randomOfOrders() < 0.08) await this.#order(one);
    for (const each of this.#devices) if (this.#isExact) await this.#checkOwn(each);
    // Often nothing happens in between: what is committed at once is folded together.
    if (this.#chance(0.7)) await this.#pass(this.#random() * 60);
    // After a log was lost its devices bring back what it had, each for itself: until all have, parts may be seen.
    if (this.wipes === 0) await this.#checkSum(one);
    await this.#takeNotes();
    if (this.#problems.length > 0) throw new Error(this.#problems[0]);
  }

  async #commit(one: Simulated): Promise<void> {
    const { device, name } = one;
    const dice = this.#random();
    this.commits++;
    if (dice < 0.3) {
      const id = `${name}-${one.made++}`;
      await device.write(['tasks', id, { id, by: name, n: one.made }]);
      this.#alive.add(id);
    } else if (dice < 0.5) {
      const [from, to] = [this.#account(), this.#account()];
      if (from !== to) await device.transfer(from, to, 1 + Math.floor(this.#random() * 9), 'accounts');
    } else if (dice < 0.75) {
      const by = 1 + Math.floor(this.#random() * 5);
      const label = `l${Math.floor(this.#random() * 5)}`;
      await device.change(
        'x',
        (row) => ({ ...row, count: (row['count'] as number) + by, labels: [...(row['labels'] as string[]), label] }),
        'likes',
      );
      this.#likes += by;
    } else await this.#changeTasks(device, dice);
  }

  /** Some devices at once, often: what each strategy makes of it has to be the same everywhere, and sums exact. */
  async #order({ device, name }: Simulated): Promise<void> {
    this.orders++;
    const field = ORDER_FIELDS[Math.floor(this.#randomOfOrders() * ORDER_FIELDS.length)]!;
    const by = 1 + Math.floor(this.#randomOfOrders() * 9);
    const value = (row: Row): unknown => (field === 'sum' ? (row['sum'] as number) + by : `${name} ${this.orders}`);
    await device.change(ORDER, (row) => ({ ...row, [field]: value(row) }), 'orders');
    if (field === 'sum') this.#sum += by;
  }

  /** Own changes that were told apart, as far as that can be seen. */
  async #checkOwn({ device }: Simulated): Promise<void> {
    const state = (await device.hidden('states')).find(({ id }) => (id as string).startsWith('orders '));
    const own = (state?.['own'] ?? []) as readonly unknown[];
    if (own.length > OWN_CHANGES_EXACT) this.#isExact = false;
  }

  async #changeTasks(device: SyncDevice, dice: number): Promise<void> {
    const rows = await device.rows();
    const row = rows[Math.floor(this.#random() * rows.length)];
    if (row === undefined) return;
    const id = row['id'] as string;
    if (dice < 0.85) {
      await device.write(['tasks', id, undefined]);
      this.#deleted.add(id);
    } else
      await device.change(id, (now) => ({ ...now, text: `${dice}`, [`f${Math.floor(dice * 100)}`]: this.commits }));
  }

  /** A device reads all notes, and may add some that depend on what it has read: two in one transaction. */
  async #takeNotes(): Promise<void> {
    const { name, device } = this.#devices[Math.floor(this.#randomOfNotes() * this.#devices.length)]!;
    const isWriting = this.#randomOfNotes() < 0.3;
    // Until all devices have brought back what a log had that was lost, or a first sync is through, parts may be seen.
    if (this.wipes > 0 || (await device.hidden('meta')).some(({ id }) => id === 'rows')) return;
    const notes = await device.rows('notes');
    this.#history.push({ type: 'read', device: name, rows: notes.map(({ id }) => id as string) });
    if (!isWriting) return;
    const transaction = `${name} ${this.#history.length}`;
    const rows = [`${transaction} one`, `${transaction} two`];
    await device.write(...rows.map((id) => ['notes', id, { id }] as const));
    this.#history.push({ type: 'write', device: name, transaction, rows });
  }

  async #checkHistory(): Promise<void> {
    for (const { name, device } of this.#devices) {
      const notes = await device.rows('notes');
      this.#history.push({ type: 'read', device: name, rows: notes.map(({ id }) => id as string) });
    }
    const [anomaly] = findCausalAnomalies(this.#history, { isHealed: true });
    if (anomaly !== undefined) throw new Error(`[R21] ${anomaly.type}: ${anomaly.explanation}`);
    this.notes += this.#history.length;
  }

  #account = (): string => `${Math.floor(this.#random() * ACCOUNTS)}`;

  #cut({ name }: Simulated): void {
    this.cuts++;
    this.#relay.cut((device) => device === name, this.#chance(0.3));
  }

  async #killSync({ device }: Simulated): Promise<void> {
    this.kills++;
    device.killSync();
    if (this.#chance(0.5)) await this.#pass(this.#random() * 500);
    await device.startSync('ws://relay');
  }

  async #crash({ device }: Simulated): Promise<void> {
    this.crashes++;
    await device.crash();
    this.#watchOutbox(device);
    await device.startSync('ws://relay');
  }

  async #restartRelay(): Promise<void> {
    this.restarts++;
    this.#relay.kill();
    await this.#pass(this.#random() * 3_000);
    this.#relay.start();
  }

  async #wipeRelay(): Promise<void> {
    this.wipes++;
    this.#relay.kill();
    this.#relay.wipe();
    this.#relay.start();
  }

  async #checkSum({ device, name }: Simulated): Promise<void> {
    // What a first sync, or one with another log, has not brought to its end may be there in part.
    if ((await device.hidden('meta')).some(({ id }) => id === 'rows')) return;
    const rows = await device.rows('accounts');
    const sum = rows.reduce((all, row) => all + (row['amount'] as number), 0);
    if (sum !== ACCOUNTS * AMOUNT) throw new Error(`[R20] ${name} reads half of a transfer: ${JSON.stringify(rows)}`);
  }

  async #heal(): Promise<void> {
    for (const one of this.#devices) one.isReachable = true;
    await this.#until(async () => {
      for (const { device } of this.#devices) {
        if (device.failures.length > 0) throw device.failures[0];
        if (
          (await device.unsaved()) > 0 ||
          (await device.hidden('meta')).some(({ id }) => id === 'rows' || id === 'own')
        )
          return false;
      }
      const [first, ...others] = await Promise.all(this.#devices.map(({ device }) => rowsOf(device)));
      return others.every((rows) => deepEqual(rows, first)) && deepEqual(await this.#relayRows(), first);
    }, 'all to come together');
    await this.#judge();
  }

  async #judge(): Promise<void> {
    const { device } = this.#devices[0]!;
    const tasks = new Set((await device.rows()).map(({ id }) => id as string));
    for (const id of this.#alive) {
      if (this.#deleted.has(id) && tasks.has(id)) throw new Error(`[R12] ${id} was deleted, and is there.`);
      if (!this.#deleted.has(id) && !tasks.has(id)) throw new Error(`[R1] ${id} was committed, and is lost.`);
    }
    const { sum } = (await device.row(ORDER, 'orders'))!;
    if (this.#isExact && this.wipes === 0 && sum !== this.#sum) {
      throw new Error(`[CONF-2] ${this.#sum} was added to the order, and ${sum} is there.`);
    }
    if (this.#isExact && this.wipes === 0) this.exact++;
    const count = (await device.row('x', 'likes'))!['count'];
    if (count !== this.#likes) throw new Error(`[R1] ${this.#likes} likes were committed, and ${count} are there.`);
    for (const one of this.#devices) await this.#checkSum(one);
    await this.#checkHistory();
  }

  /** Rows as the relay's folded states have them. */
  async #relayRows(): Promise<unknown> {
    const log = await this.#relay.log();
    if (log.folded < log.head) return undefined;
    const { rows } = await log.rows({ sequence: 0, ordinal: 0 }, 1e9);
    const found = rows.flatMap(({ collection, key, state }) => {
      const types = COLLECTIONS.find(({ name }) => name === collection)!.fields;
      const { row } = new RowDocument({ name: { collection, key }, types, clientId: 1, state });
      return row === undefined ? [] : [[`${collection} ${key}`, row] as const];
    });
    return Object.fromEntries(found.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  async #until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
    for (let passedMs = 0; !(await isTrue()); passedMs += 500) {
      if (passedMs > HEAL_MS_MAX) throw new Error(`[R10] Waited in vain for ${what}: ${await this.#picture()}`);
      await this.#pass(500);
    }
  }

  async #picture(): Promise<string> {
    const seen = this.#devices.map(async ({ name, device }) => ({
      name,
      connection: device.session?.status,
      unsaved: await device.unsaved(),
      meta: await device.hidden('meta'),
      rows: await rowsOf(device),
    }));
    return JSON.stringify([await Promise.all(seen), await this.#relayRows()]).slice(0, 6_000);
  }

  /** Simulated time goes by, in steps, with turns of the event loop in between: engines answer through real ports. */
  async #pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.#clock.advance(Math.min(left, STEP_MS));
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}

/** Both have added something. */
const added = ({ base, local, remote }: ConflictQuestion): number =>
  (local as number) + (remote as number) - ((base as number | undefined) ?? 0);

/** As `Date.now()` gives them. */
const wholeMilliseconds = (platform: ManualPlatform): ManualPlatform =>
  Object.defineProperties({} as ManualPlatform, {
    ...Object.getOwnPropertyDescriptors(platform),
    wallClock: { value: () => Math.floor(platform.wallClock()), enumerable: true },
  });

async function rowsOf(device: SyncDevice): Promise<Record<string, Row>> {
  const all: Record<string, Row> = {};
  for (const { name } of [...COLLECTIONS].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    for (const row of await device.rows(name)) all[`${name} ${row['id']}`] = row;
  }
  return all;
}
