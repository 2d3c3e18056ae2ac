/**
 * A browser in one thread and virtual time: tabs, their Web Locks, channels and ports, and one origin's storage. Everything
 * that happens is an event of one queue, in an order that follows from the seed. A tab that is killed stops at once: its
 * timers, messages and storage requests come to nothing, and the browser frees its locks.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { OpenTabChannel, TabChannel } from '../../worker/tabs/index.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';

export type ChannelFaults = {
  /** Chance that a message between tabs is lost. */
  readonly lost: number;
  /** Chance that it comes twice. */
  readonly doubled: number;
  /** Milliseconds that it may take; messages may overtake each other. */
  readonly delayMs: number;
  /** Chance that an append to the log's store is cut off: whether it was done is not known. */
  readonly unknown?: number;
  /** Chance that a write to the tail's file ends after half of its bytes: with an error, or with the tab. */
  readonly torn?: number;
};

/** What happens in a tab happens only as long as it lives. */
export type Life = {
  isDead: boolean;
  /** Stopped until then: what happens to it meanwhile happens afterwards. */
  frozenUntilMs?: number;
};

type Event = { readonly at: number; readonly order: number; readonly life: Life; readonly run: () => void };
type Hold = { readonly life: Life; readonly steal: () => void };
type Request = { readonly life: Life; readonly grant: () => void };
type Channel = { readonly name: string; readonly life: Life; readonly channel: TabChannel; isOpen: boolean };

const MACHINE_SEED = 1_000_000_007;

export class World {
  readonly seed: number;
  readonly random: () => number;
  /** What the machine does to all tabs, and files, is drawn apart: without it a life is what it was. */
  readonly randomOfMachine: () => number;
  faults: ChannelFaults = { lost: 0, doubled: 0, delayMs: 2 };
  nowMs = 0;
  /** How much later than anything else a tab hears that its lock was stolen: no browser promises an order. */
  lockNewsMs = 0;
  events = 0;
  /** Locks that were taken from somebody. */
  steals = 0;
  /** Writes to the tail's file that ended after half of their bytes. */
  tornWrites = 0;
  stolenAtMs: number = Number.NEGATIVE_INFINITY;
  /** What the clock on the wall is ahead of the time since the start. */
  wallMs = 1_700_000_000_000;
  #order = 0;
  #queue: Event[] = [];
  readonly #holders: Map<string, Hold> = new Map();
  readonly #waiting: Map<string, Request[]> = new Map();
  #channels: Channel[] = [];

  constructor(seed: number) {
    this.seed = seed;
    this.random = createSeededRandom(seed);
    this.randomOfMachine = createSeededRandom(seed + MACHINE_SEED);
  }

  below(count: number): number {
    return Math.floor(this.random() * count);
  }

  chance(of: number): boolean {
    return this.random() < of;
  }

  after(ms: number, life: Life, run: () => void): () => void {
    const event: Event = { at: this.nowMs + ms, order: this.#order++, life, run };
    this.#insert(event);
    return () => {
      // It may have been put off, as another object.
      const at = this.#queue.findIndex(({ order }) => order === event.order);
      if (at >= 0) this.#queue.splice(at, 1);
    };
  }

  #insert(event: Event): void {
    const place = this.#queue.findIndex(({ at, order }) => at > event.at || (at === event.at && order > event.order));
    if (place < 0) this.#queue.push(event);
    else this.#queue.splice(place, 0, event);
  }

  /** Lets events happen until `isDone`, or as long as `ms` virtual milliseconds. Answers whether it was done. */
  async run(ms: number, isDone: () => boolean = () => false): Promise<boolean> {
    const until = this.nowMs + ms;
    for (;;) {
      // Promises of what has happened go as far as they can.
      await nextTurn();
      if (isDone()) return true;
      const next = this.#queue[0];
      if (next === undefined || next.at > until) {
        this.nowMs = Math.max(this.nowMs, until);
        return isDone();
      }
      this.#queue.shift();
      const { frozenUntilMs = 0 } = next.life;
      if (frozenUntilMs > next.at && !next.life.isDead) {
        this.#insert({ ...next, at: frozenUntilMs });
        continue;
      }
      this.nowMs = Math.max(this.nowMs, next.at);
      this.events++;
      if (!next.life.isDead) next.run();
    }
  }

  /** The machine sleeps: the time goes on, and what should have happened meanwhile happens afterwards. */
  sleep(ms: number): void {
    this.nowMs += ms;
    // They stay in their order.
    this.#queue = this.#queue.map((event) => ({ ...event, at: Math.max(event.at, this.nowMs) }));
    this.#queue.sort((a, b) => a.at - b.at || a.order - b.order);
  }

  kill(life: Life): void {
    life.isDead = true;
    this.#queue = this.#queue.filter((event) => event.life !== life);
    this.#channels = this.#channels.filter((channel) => channel.life !== life);
    for (const [name, requests] of this.#waiting) {
      this.#waiting.set(
        name,
        requests.filter((request) => request.life !== life),
      );
    }
    for (const [name, holder] of [...this.#holders]) if (holder.life === life) this.#free(name);
  }

  holderOf(lock: string): Life | undefined {
    return this.#holders.get(lock)?.life;
  }

  locksFor(life: Life): LockManager {
    const request = (
      name: string,
      options: LockOptions,
      use: (lock: Lock | null) => Promise<unknown> | undefined,
    ): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const hold: Hold = {
          life,
          // The browser tells the one that had it.
          steal: () => {
            const tell = (): void => reject(new DOMException('Stolen.', 'AbortError'));
            const { lockNewsMs } = this;
            this.after(this.random(), life, () => (lockNewsMs === 0 ? tell() : this.after(lockNewsMs, life, tell)));
          },
        };
        const grant = (): void => {
          this.#holders.set(name, hold);
          this.after(this.random(), life, () => {
            void Promise.resolve(use({ name, mode: 'exclusive' })).then((value) => {
              if (!life.isDead && this.#holders.get(name) === hold) this.#free(name);
              resolve(value);
            });
          });
        };
        if (options.steal === true) {
          this.steals++;
          this.stolenAtMs = this.nowMs;
          this.#holders.get(name)?.steal();
          return grant();
        }
        if (!this.#holders.has(name)) return grant();
        if (options.ifAvailable === true) {
          this.after(this.random(), life, () => resolve(use(null)));
          return;
        }
        const waiting = { life, grant };
        const queue = this.#waiting.get(name) ?? [];
        queue.push(waiting);
        this.#waiting.set(name, queue);
        options.signal?.addEventListener('abort', () => {
          const all = this.#waiting.get(name) ?? [];
          if (!all.includes(waiting)) return;
          this.#waiting.set(
            name,
            all.filter((each) => each !== waiting),
          );
          reject(new DOMException('Aborted.', 'AbortError'));
        });
      });
    const query = (): Promise<LockManagerSnapshot> =>
      new Promise((resolve) => {
        const held = [...this.#holders].map(([name, holder]) => ({
          name,
          mode: 'exclusive' as const,
          clientId: this.#clientOf(holder.life),
        }));
        this.after(this.random(), life, () => resolve({ held, pending: [] }));
      });
    return { request, query } as unknown as LockManager;
  }

  readonly #clients: Life[] = [];

  #clientOf(life: Life): string {
    if (!this.#clients.includes(life)) this.#clients.push(life);
    return `client ${this.#clients.indexOf(life)}`;
  }

  #free(name: string): void {
    this.#holders.delete(name);
    this.#waiting.get(name)?.shift()?.grant();
  }

  channelsFor(life: Life): OpenTabChannel {
    return (name) => {
      const open: Channel = {
        name,
        life,
        isOpen: true,
        channel: {
          onMessage: undefined,
          post: (message) => open.isOpen && this.#broadcast(open, structuredClone(message)),
          close: () => {
            open.isOpen = false;
            this.#channels = this.#channels.filter((each) => each !== open);
          },
        },
      };
      this.#channels.push(open);
      return open.channel;
    };
  }

  #broadcast(from: Channel, message: unknown): void {
    if (from.life.isDead) return;
    for (const to of this.#channels) {
      if (to === from || to.name !== from.name) continue;
      const times = this.chance(this.faults.lost) ? 0 : this.chance(this.faults.doubled) ? 2 : 1;
      for (let time = 0; time < times; time++) {
        this.after(0.1 + this.random() * this.faults.delayMs, to.life, () => {
          if (to.isOpen) to.channel.onMessage?.(structuredClone(message));
        });
      }
    }
  }

  /** Two ends of a port between a page and its worker: in order, and nothing is lost. */
  portsFor(life: Life): readonly [MessagePort, MessagePort] {
    type End = { onmessage: ((event: { data: unknown }) => void) | null; waiting: unknown[]; lastAt: number };
    const create = (): End => ({ onmessage: null, waiting: [], lastAt: 0 });
    const ends: readonly [End, End] = [create(), create()];
    const portOf = (own: End, other: End): MessagePort => {
      const deliver = (to: End): void => {
        while (to.onmessage !== null && to.waiting.length > 0) to.onmessage({ data: to.waiting.shift() });
      };
      return {
        postMessage: (message: unknown) => {
          const copy = structuredClone(message);
          const at = Math.max(other.lastAt, this.nowMs + this.random() * 0.2);
          other.lastAt = at;
          this.after(at - this.nowMs, life, () => {
            other.waiting.push(copy);
            deliver(other);
          });
        },
        close: () => {
          own.onmessage = null;
        },
        get onmessage() {
          return own.onmessage;
        },
        set onmessage(value: End['onmessage']) {
          own.onmessage = value;
          deliver(own);
        },
      } as unknown as MessagePort;
    };
    return [portOf(ends[0], ends[1]), portOf(ends[1], ends[0])];
  }
}
