/**
 * The relay's own core on a simulated network: connections, hubs and log are the real ones; sockets, disk and time are the
 * simulation's. A kill takes what was not written yet.
 */
import { EventEmitter } from 'node:events';
import { DEFAULT_LIMITS, type RelayLimits } from '../../server/limits/index.ts';
import { createMemoryHome, type OrderedStore, openKeyedLog, type StoreLog } from '../../server/log/index.ts';
import { openMemoryStore } from '../../server/log/memory-store.ts';
import { Metrics } from '../../server/observe/index.ts';
import { RelaySocket } from '../../server/relay/socket.ts';
import { StoreHub } from '../../server/relay/store-hub.ts';
import { SyncConnection } from '../../server/relay/sync-connection.ts';
import { BEAT_MS } from '../../src/protocol/sync/index.ts';
import type { SocketEvents, SyncSocket } from '../../worker/sync/platform.ts';
import type { ManualPlatform } from '../fakes/manual-platform.ts';

const LATENCY_MS_MAX = 40;
const DISK_MS_MAX = 15;
/** Of frames. TCP does neither; proxies and faults of ours may. */
const LOST_SHARE = 0.004;
const DOUBLED_SHARE = 0.02;
const HELLO = 100;

export type Faults = { readonly losing: boolean; readonly doubling: boolean };

export class SimRelay {
  readonly #clock: ManualPlatform;
  readonly #random: () => number;
  readonly #faults: Faults;
  readonly #limits: RelayLimits;
  #home = createMemoryHome();
  #life: { isAlive: boolean } = { isAlive: false };
  #hub: Promise<StoreHub> | undefined;
  readonly #links = new Set<Link>();

  constructor(options: { clock: ManualPlatform; random: () => number; faults: Faults; limits?: Partial<RelayLimits> }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#faults = options.faults;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
  }

  start(): void {
    const life = { isAlive: true };
    this.#life = life;
    this.#hub = this.#open(life);
    this.#beat(life);
  }

  /** As a process that is killed. */
  kill(): void {
    this.#life.isAlive = false;
    this.cut(() => true);
  }

  /** The disk is another one. */
  wipe(): void {
    this.#home = createMemoryHome();
  }

  async log(): Promise<StoreLog> {
    return (await this.#hub!).log;
  }

  /** Ends connections: both sides hear of it, or, of a half-open one, the relay alone does. */
  cut(chosen: (device: string) => boolean, isSilent = false): void {
    for (const link of [...this.#links]) if (chosen(link.device)) link.end(1006, '', isSilent);
  }

  /** For `openSocket` of a device's platform. `isReachable` is asked at each attempt. */
  connect(device: string, isReachable: () => boolean, events: SocketEvents): SyncSocket {
    const link = new Link(device, events, this.#clock, this.#random, this.#faults);
    link.later(() => {
      if (!this.#life.isAlive || !isReachable()) return link.end(1006, 'unreachable', false);
      this.#accept(link);
    });
    return link;
  }

  #accept(link: Link): void {
    this.#links.add(link);
    const metrics = new Metrics();
    const socket = new RelaySocket(link.far as never, metrics, this.#limits);
    const hub = this.#hub!;
    const connection = new SyncConnection(
      {
        id: 1,
        socket,
        platform: this.#clock,
        limits: this.#limits,
        metrics,
        observe: () => {},
        authorise: () => true,
        hub: () => hub,
      },
      'app',
    );
    link.far.on('message', (frame: Uint8Array) => {
      socket.heard(frame.length);
      connection.receive(frame);
    });
    link.far.on('close', () => {
      this.#links.delete(link);
      connection.closed();
    });
    link.beat = () => socket.beat(connection.beat());
    link.opened();
  }

  async #open(life: { isAlive: boolean }): Promise<StoreHub> {
    const log = await openKeyedLog(this.#disk(life), this.#clock);
    const store = await log.open('app');
    const parts = { platform: this.#clock, limits: this.#limits, metrics: new Metrics(), observe: () => {} };
    return new StoreHub({ log: store, ...parts });
  }

  /** Writes take a while, one after the other; what has not come to its end when the process is killed never was. */
  #disk(life: { isAlive: boolean }): OrderedStore {
    const store = openMemoryStore(this.#home);
    let last: Promise<void> = Promise.resolve();
    return {
      ...store,
      write: (writes, durability) => {
        last = last.then(async () => {
          await new Promise<void>((resolve) => this.#clock.setTimer(resolve, this.#random() * DISK_MS_MAX));
          // Nobody waits for it any more.
          if (!life.isAlive) return new Promise<void>(() => {});
          return store.write(writes, durability);
        });
        return last;
      },
    };
  }

  #beat(life: { isAlive: boolean }): void {
    this.#clock.setTimer(() => {
      if (!life.isAlive) return;
      for (const link of this.#links) link.beat();
      this.#beat(life);
    }, BEAT_MS);
  }
}

/** What the relay sees of a socket. */
class FarEnd extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  readonly bufferedAmount = 0;
  readonly #link: Link;

  constructor(link: Link) {
    super();
    this.#link = link;
  }

  send(frame: Uint8Array): void {
    this.#link.toDevice(frame);
  }

  close(code: number, reason: string): void {
    this.#link.end(code, reason, false);
  }

  terminate(): void {
    this.#link.end(1006, '', false);
  }

  ping(): void {
    this.#link.pinged();
  }

  pause(): void {}
  resume(): void {}
}

/** One connection: frames in each direction keep their order, and take their time. */
class Link implements SyncSocket {
  readonly device: string;
  readonly far: FarEnd = new FarEnd(this);
  readonly bufferedBytes = 0;
  beat: () => void = () => {};
  readonly #events: SocketEvents;
  readonly #clock: ManualPlatform;
  readonly #random: () => number;
  readonly #faults: Faults;
  #outAt = 0;
  #inAt = 0;
  #state: 'open' | 'silent' | 'ended' = 'open';
  #isDeviceGone = false;

  constructor(device: string, events: SocketEvents, clock: ManualPlatform, random: () => number, faults: Faults) {
    this.device = device;
    this.#events = events;
    this.#clock = clock;
    this.#random = random;
    this.#faults = faults;
  }

  later(run: () => void): void {
    this.#clock.setTimer(run, this.#random() * LATENCY_MS_MAX);
  }

  opened(): void {
    this.#in(() => this.#events.onOpen());
  }

  /** From the device. */
  send(bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    const isDoubled = this.#faults.doubling && bytes[0] !== HELLO && this.#random() < DOUBLED_SHARE;
    for (let copies = isDoubled ? 2 : 1; copies > 0; copies--) {
      this.#outAt = Math.max(this.#outAt, this.#clock.now() + this.#random() * LATENCY_MS_MAX);
      this.#clock.setTimer(() => {
        if (this.#state === 'open') this.far.emit('message', bytes.slice());
      }, this.#outAt - this.#clock.now());
    }
  }

  toDevice(frame: Uint8Array): void {
    if (this.#state !== 'open' || (this.#faults.losing && this.#random() < LOST_SHARE)) return;
    const isDoubled = this.#faults.doubling && this.#random() < DOUBLED_SHARE;
    for (let copies = isDoubled ? 2 : 1; copies > 0; copies--) this.#in(() => this.#events.onFrame(frame.slice()));
  }

  pinged(): void {
    if (!this.#isDeviceGone) this.later(() => this.#state === 'open' && this.far.emit('pong'));
  }

  /** From the device: it does not listen any more, and what it has sent may still come. */
  close(): void {
    this.#isDeviceGone = true;
    this.later(() => this.end(1000, '', true));
  }

  end(code: number, reason: string, isSilent: boolean): void {
    if (this.#state !== 'open') return;
    this.#state = isSilent ? 'silent' : 'ended';
    this.far.readyState = 3;
    this.far.emit('close', code, reason);
    if (!isSilent) this.#in(() => this.#events.onClose(code, reason));
  }

  /** To the device, in order. What is on its way when the connection ends may still come. */
  #in(run: () => void): void {
    this.#inAt = Math.max(this.#inAt, this.#clock.now() + this.#random() * LATENCY_MS_MAX);
    this.#clock.setTimer(() => {
      if (!this.#isDeviceGone) run();
    }, this.#inAt - this.#clock.now());
  }
}
