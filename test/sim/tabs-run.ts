/**
 * A life of several tabs on one origin: they open, write, watch, close, and are killed, while channels lose, double and
 * delay what they say. In the end everything is let heal, and what the tabs were answered is compared with what is stored.
 */
import type { AnyRow } from '../../src/schema/definition.ts';
import { createMemoryImage } from '../../worker/storage/index.ts';
import { TailImage } from '../fakes/memory-tail-folder.ts';
import { type Origin, openTab, type SimTab } from './sim-tab.ts';
import { World } from './world.ts';

/** What may befall tabs, and can be left out when a failure is made smaller. */
export const BEFALLS = [
  'kill',
  'close',
  'freeze',
  'suspend',
  'checkpoint',
  'transfer',
  'create',
  'createMany',
  'lost',
  'doubled',
  'late',
  'unknown',
  'clock',
  'sleep',
  'torn',
  'news',
] as const;
export type Befall = (typeof BEFALLS)[number];

/** One life follows from this. */
export type Plan = {
  readonly seed: number;
  readonly steps: number;
  readonly tabsMax: number;
  readonly without: readonly Befall[];
};

export const STEPS = 120;
export const TABS_MAX = 4;
export const planOf = (seed: number): Plan => ({ seed, steps: STEPS, tabsMax: TABS_MAX, without: [] });

/** The command that repeats a life. */
export function commandOf({ seed, steps, tabsMax, without }: Plan): string {
  const more = [
    ...(steps === STEPS ? [] : [`--steps ${steps}`]),
    ...(tabsMax === TABS_MAX ? [] : [`--tabs ${tabsMax}`]),
    ...(without.length === 0 ? [] : [`--without ${without.join()}`]),
  ];
  return ['npm run test:sim -- --seed', seed, ...more].join(' ');
}

/** How long everything that is under way may take once nothing fails any more. */
const HEAL_MS = 40_000;
/** Longer than a leader may be silent. */
const QUIET_MS = 10_000;
/** From one steal of the lock to the next (T3). */
const STEAL_PAUSE_MS = 60_000;
/** The clock on the wall may jump so far, in either direction: two days. */
const JUMP_MS_MAX = 172_800_000;
/** How late a tab may hear that its lock was stolen, in one life of five. */
const LOCK_NEWS_MS_MAX = 500;
/** Longer than a leader may be silent. */
const SLEEP_MS_MAX = 40_000;

type Tally = {
  readonly tab: SimTab;
  /** Increments of its own row, by what became of them. */
  done: number;
  unknown: number;
  /** The same for its transactions. */
  moves: number;
  unknownMoves: number;
  readonly created: Set<string>;
  /** The answers of its own increments: each must be one more than the one before. */
  readonly answers: number[];
  seen: readonly AnyRow[];
  emissions: number;
  pending: number;
  /** A call of it ran into its deadline: whether it was done is not known. */
  isUncertain: boolean;
};

export class TabsRun {
  readonly plan: Plan;
  readonly world: World;
  readonly #origin: Origin;
  readonly #tallies: Tally[] = [];
  readonly #errors: string[] = [];
  #opening = 0;
  #names = 0;
  kills = 0;
  handovers = 0;
  writes = 0;
  transfers = 0;
  freezes = 0;
  replaced = 0;
  givenUp = 0;
  suspensions = 0;
  timeouts = 0;
  /** Jumps of the clock on the wall, and times that the machine slept. */
  jumps = 0;
  sleeps = 0;
  /** Openings that a frozen leader kept from coming to anything. */
  refused = 0;
  readonly #freezes: boolean;

  constructor(plan: Plan) {
    this.plan = plan;
    this.world = new World(plan.seed);
    this.#freezes = this.world.chance(0.5);
    this.#origin = { world: this.world, image: createMemoryImage(), tails: new TailImage() };
  }

  async run(): Promise<void> {
    const { world } = this;
    const isNoisy = world.chance(0.5);
    const isCutOff = world.chance(0.3);
    world.faults = {
      lost: isNoisy && this.#may('lost') ? 0.05 : 0,
      doubled: isNoisy && this.#may('doubled') ? 0.05 : 0,
      delayMs: isNoisy && this.#may('late') ? 8 : 2,
      unknown: isCutOff && this.#may('unknown') ? 0.02 : 0,
      torn: world.randomOfMachine() < 0.3 && this.#may('torn') ? 0.01 : 0,
    };
    const newsMs = (this.world.randomOfMachine() - 0.8) * 5 * LOCK_NEWS_MS_MAX;
    if (this.#may('news')) world.lockNewsMs = Math.max(0, newsMs);
    for (let step = 0; step < this.plan.steps; step++) {
      this.#befallMachine();
      this.#step();
      // A life with frozen tabs takes as long as they do.
      await world.run(world.random() * (this.#freezes ? 200 : 12));
      this.#assertOneLeader();
      this.#noteReplaced();
    }
    world.faults = { lost: 0, doubled: 0, delayMs: 2 };
    await world.run(Math.max(0, ...this.#alive.map(({ tab }) => (tab.life.frozenUntilMs ?? 0) - world.nowMs)));
    if (this.#alive.length === 0) this.#open();
    // Those that were stopped go on writing.
    for (let round = 0; round < 5; round++) {
      for (const tally of this.#alive) this.#increment(tally);
      await world.run(100);
    }
    const isQuiet = (): boolean => this.#opening === 0 && this.#alive.every(({ pending }) => pending === 0);
    const healed = await world.run(HEAL_MS, isQuiet);
    this.#assert(healed, `Calls never settle: ${this.#alive.map(({ pending }) => pending)}, opening ${this.#opening}.`);
    // Live queries come last. Followers look long enough whether the leader lives.
    await world.run(this.#freezes ? 2_000 : QUIET_MS);
    this.#assert(this.#freezes || world.steals === 0, 'The lock was taken from a leader that lives.');
    this.#noteReplaced();
    await this.#compare();
  }

  get #alive(): readonly Tally[] {
    return this.#tallies.filter(({ tab }) => !tab.life.isDead);
  }

  get #leader(): Tally | undefined {
    return this.#alive.find(({ tab }) => this.world.holderOf('collection-store/sim') === tab.life);
  }

  #may(befall: Befall): boolean {
    return !this.plan.without.includes(befall);
  }

  /** What happens to all tabs at once. */
  #befallMachine(): void {
    const { world } = this;
    const draw = (of: number): number | undefined => {
      const drawn = world.randomOfMachine();
      return drawn < of ? drawn / of : undefined;
    };
    const jump = draw(0.01);
    if (jump !== undefined && this.#may('clock')) {
      this.jumps++;
      world.wallMs += (2 * jump - 1) * JUMP_MS_MAX;
    }
    const sleep = draw(0.003);
    if (sleep !== undefined && this.#may('sleep')) {
      this.sleeps++;
      world.sleep(sleep * SLEEP_MS_MAX);
    }
  }

  /** What is left out is drawn and not done, so that the rest stays as near as can be to what it was. */
  #step(): void {
    const { world } = this;
    const alive = this.#alive;
    const chance = alive.length === 0 ? 0.6 : 0.08;
    if (alive.length + this.#opening < this.plan.tabsMax && world.chance(chance)) return this.#open();
    if (alive.length === 0) return;
    const tally = alive[world.below(alive.length)]!;
    const draws = (befall: Befall, of: number): boolean => world.chance(of) && this.#may(befall);
    if (draws('kill', 0.03)) return this.#kill(tally);
    if (draws('close', 0.02)) return this.#close(tally);
    if (this.#freezes && draws('freeze', 0.02)) return this.#freeze(this.#leader ?? tally);
    if (this.#freezes && draws('suspend', 0.03)) return this.#suspend(this.#leader ?? tally);
    // A crash in it shows in what is found afterwards.
    if (draws('checkpoint', 0.05)) return void tally.tab.checkpoint().catch(() => undefined);
    if (draws('transfer', 0.1)) return this.#transfer(tally);
    if (draws('create', 0.3)) return this.#create(tally);
    if (draws('createMany', 0.05)) return this.#createMany(tally);
    for (let count = 1 + world.below(4); count > 0; count--) this.#increment(tally);
  }

  #open(): void {
    const name = `tab${++this.#names}`;
    const life = { isDead: false };
    const { sleeps } = this;
    this.#opening++;
    openTab(this.#origin, name, life).then(
      (tab) => {
        this.#opening--;
        const tally: Tally = {
          tab,
          done: 0,
          unknown: 0,
          moves: 0,
          unknownMoves: 0,
          created: new Set(),
          answers: [],
          seen: [],
          emissions: 0,
          pending: 0,
          isUncertain: false,
        };
        this.#tallies.push(tally);
        this.#call(tally, tab.rows.create({ id: `own ${name}`, n: 0, shared: false }), () => undefined);
        tab.rows.find({ shared: true }).$.subscribe({
          next: (rows) => {
            tally.seen = rows;
            tally.emissions++;
          },
          error: (error) => {
            if (isGivenUp(error)) this.#reload(tally);
            else if (!life.isDead) this.#errors.push(`live query of ${name}: ${error}`);
          },
        });
      },
      (error) => {
        this.#opening--;
        // Its storage failed before it was open: it is told, and may try again.
        if (error.code === 'storage/outcome-unknown') return this.world.kill(life);
        // The leader is frozen, and so soon after the last steal nobody may take its lock (T3); or the machine has slept
        // for the time that an opening may take. It is told, and may try again.
        if (error.code === 'store/in-use' && (this.#isStuck() || this.sleeps > sleeps)) {
          this.refused++;
          return this.world.kill(life);
        }
        this.#errors.push(`opening ${name}: ${error}`);
      },
    );
  }

  /** Whether the tab that holds the lock is frozen, or was a moment ago, and may not be replaced yet. */
  #isStuck(): boolean {
    const { nowMs, stolenAtMs } = this.world;
    const frozenUntilMs = this.world.holderOf('collection-store/sim')?.frozenUntilMs ?? 0;
    return frozenUntilMs > nowMs - 1_000 && nowMs - stolenAtMs < STEAL_PAUSE_MS;
  }

  #call<T>(tally: Tally, promise: Promise<T>, onDone: (value: T) => void): void {
    tally.pending++;
    this.writes++;
    promise.then(
      (value) => {
        tally.pending--;
        onDone(value);
      },
      (error) => {
        tally.pending--;
        if (isGivenUp(error)) return this.#reload(tally);
        // The leader was frozen, or the machine slept, for longer than the call may take.
        if ((this.#freezes || this.sleeps > 0) && isTimeout(error)) {
          this.timeouts++;
          tally.isUncertain = true;
          return;
        }
        if (!tally.tab.life.isDead) this.#errors.push(`a call of ${tally.tab.name}: ${error}`);
      },
    );
  }

  #increment(tally: Tally): void {
    const { tab } = tally;
    tally.unknown++;
    this.#call(tally, tab.rows.update(`own ${tab.name}`, { $inc: { n: 1 } }), (row) => {
      tally.unknown--;
      tally.done++;
      tally.answers.push((row as { n: number } | undefined)?.n ?? Number.NaN);
    });
  }

  #create(tally: Tally): void {
    const id = `${tally.tab.name} made ${tally.created.size} ${this.writes}`;
    this.#call(tally, tally.tab.rows.create({ id, n: this.world.below(5), shared: true }), () => tally.created.add(id));
  }

  #createMany(tally: Tally): void {
    const ids = Array.from({ length: 30 }, (_, at) => `${tally.tab.name} many ${this.writes} ${at}`);
    const rows = ids.map((id, at) => ({ id, n: at, shared: at % 2 === 0 }));
    this.#call(tally, tally.tab.rows.createMany(rows), () => {
      for (const id of ids) tally.created.add(id);
    });
  }

  /** Moves one from an account to another: the sum stays, whatever happens. */
  #transfer(tally: Tally): void {
    const [from, to] = [`account ${this.world.below(3)}`, `account ${this.world.below(3)}`];
    if (from === to) return;
    const { name } = tally.tab;
    tally.unknownMoves++;
    const moving = tally.tab.transaction(async (rows) => {
      // Were it done twice, this would tell.
      const own = await rows.get(`moves of ${name}`);
      await rows.put({ id: `moves of ${name}`, n: ((own?.['n'] ?? 0) as number) + 1, shared: false });
      const [has, gets] = await rows.getMany([from, to]);
      await rows.put({ id: from, n: ((has?.['n'] ?? 0) as number) - 1, shared: false, account: true });
      await rows.put({ id: to, n: ((gets?.['n'] ?? 0) as number) + 1, shared: false, account: true });
    });
    this.#call(tally, moving, () => {
      tally.unknownMoves--;
      tally.moves++;
      this.transfers++;
    });
  }

  #kill({ tab }: Tally): void {
    if (this.world.holderOf('collection-store/sim') === tab.life) this.handovers++;
    this.kills++;
    this.world.kill(tab.life);
  }

  /** Its storage has failed again and again. Its application opens the store again, which is another tab here. */
  #reload({ tab }: Tally): void {
    if (tab.life.isDead) return;
    this.givenUp++;
    this.world.kill(tab.life);
  }

  /** Tabs that led when they were stopped, and do not any more. */
  #noteReplaced(): void {
    for (const tab of this.#stoppedLeaders) {
      if ((tab.life.frozenUntilMs ?? 0) > this.world.nowMs || (tab.store.isLeader === true && !tab.life.isDead))
        continue;
      this.#stoppedLeaders.delete(tab);
      if (!tab.life.isDead) this.replaced++;
    }
  }

  readonly #stoppedLeaders: Set<SimTab> = new Set();

  /** The browser tells the page that it is stopped, or takes it into the back/forward cache; and that it goes on. */
  #suspend(tally: Tally): void {
    const { world } = this;
    const { life, store } = tally.tab;
    if ((life.frozenUntilMs ?? 0) > world.nowMs) return;
    for (let count = world.below(4); count > 0; count--) this.#increment(tally);
    const ms = world.random() * 3_000;
    store.suspend?.();
    this.suspensions++;
    // It may be stopped before it is done.
    world.after(world.random() * 20, life, () => {
      life.frozenUntilMs = Math.max(life.frozenUntilMs ?? 0, world.nowMs + ms);
    });
    world.after(20 + ms, life, () => store.resume?.());
  }

  /** The tab is stopped, for a moment or so long that the others take over; then it goes on as if nothing had been. */
  #freeze(tally: Tally): void {
    const { world } = this;
    const { tab } = tally;
    for (let count = world.below(4); count > 0; count--) this.#increment(tally);
    const ms = world.chance(0.3) ? world.random() * 2_000 : 5_000 + world.random() * 15_000;
    // Messages that were put off must not be overtaken by later ones.
    tab.life.frozenUntilMs = Math.max(tab.life.frozenUntilMs ?? 0, world.nowMs + ms);
    if (tab.store.isLeader === true) this.#stoppedLeaders.add(tab);
    this.freezes++;
  }

  /** As an application does: it waits for its calls, then closes. */
  #close(tally: Tally): void {
    if (tally.pending > 0) return this.#kill(tally);
    if (this.world.holderOf('collection-store/sim') === tally.tab.life) this.handovers++;
    const { life, store, name } = tally.tab;
    store.close().then(
      () => {
        // What has ended has no business any more.
        this.world.kill(life);
      },
      (error) => this.#errors.push(`closing ${name}: ${error}`),
    );
    this.#tallies.splice(this.#tallies.indexOf(tally), 1);
    this.#closed.push(tally);
  }

  readonly #closed: Tally[] = [];

  #assertOneLeader(): void {
    // One that is frozen does not know yet that it has lost the lock.
    const isAwake = ({ tab }: Tally): boolean => (tab.life.frozenUntilMs ?? 0) < this.world.nowMs - 1_000;
    const leaders = this.#alive.filter((tally) => tally.tab.store.isLeader === true && isAwake(tally));
    this.#assert(leaders.length <= 1, `${leaders.length} tabs lead.`);
  }

  async #compare(): Promise<void> {
    this.#assert(this.#errors.length === 0, this.#errors.slice(0, 3).join('; '));
    const [reader] = this.#alive;
    let found: readonly AnyRow[] | undefined;
    void reader!.tab.rows.find().then((rows) => {
      found = rows;
    });
    this.#assert(await this.world.run(HEAL_MS, () => found !== undefined), 'Nobody answers.');
    const byId = new Map(found!.map((row) => [row['id'] as string, row]));
    this.#assert(byId.size === found!.length, 'A row is there twice.');
    for (const tally of [...this.#tallies, ...this.#closed]) {
      const { tab, done, unknown, created, answers, isUncertain } = tally;
      const moves = (byId.get(`moves of ${tab.name}`)?.['n'] ?? 0) as number;
      const movesMost = tab.life.isDead || isUncertain ? tally.moves + tally.unknownMoves : tally.moves;
      this.#assert(
        moves >= tally.moves && moves <= movesMost,
        `${tab.name} was told of ${tally.moves} transactions, and has ${moves}.`,
      );
      const n = (byId.get(`own ${tab.name}`)?.['n'] ?? 0) as number;
      const most = tab.life.isDead || isUncertain ? done + unknown : done;
      this.#assert(
        n >= done && n <= most,
        `${tab.name} was told of ${done} increments (${unknown} open), and has ${n}.`,
      );
      for (const id of created) this.#assert(byId.has(id), `${id} was told to be stored and is not.`);
      const sorted = [...answers].sort((a, b) => a - b);
      this.#assert(
        sorted.every((answer) => answer >= 1 && answer <= n),
        `${tab.name} was answered ${answers}.`,
      );
    }
    const accounts = found!.filter((row) => row['account'] === true);
    const sum = accounts.reduce((all, row) => all + (row['n'] as number), 0);
    this.#assert(sum === 0, `The accounts have ${sum} together.`);
    const shared = found!.filter((row) => row['shared'] === true);
    for (const { tab, seen } of this.#alive) {
      this.#assert(
        JSON.stringify(seen) === JSON.stringify(shared),
        `${tab.name} sees ${seen.length} rows, and there are ${shared.length}.`,
      );
    }
  }

  #assert(condition: boolean, message: string): void {
    if (condition) return;
    const repeat = commandOf(this.plan);
    throw new Error(`seed ${this.plan.seed}, at ${this.world.nowMs.toFixed(1)} ms: ${message} Repeat: ${repeat}`);
  }
}

/** There was no way on for the tab. */
const isGivenUp = (error: unknown): boolean => (error as { code?: string } | undefined)?.code === 'engine/poisoned';

const isTimeout = (error: unknown): boolean =>
  ['call/timeout', 'transaction/timeout'].includes((error as { code?: string } | undefined)?.code ?? '');
