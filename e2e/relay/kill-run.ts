/**
 * Rule R1 against the built relay: it is killed at random moments while devices push to it and others follow. After each
 * start the log must hold all that was acknowledged and all that anybody saw, at the places that were told, each once and
 * whole. What was not acknowledged is pushed again, as devices do.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeliveredBatch } from '../../src/protocol/sync/index.ts';
import { createSeededRandom } from '../../test/fakes/seeded-random.ts';
import { type Device, fieldsOf, openDevice, setFields } from '../../test/server/device.ts';
import { type RelayProcess, startRelayProcess } from './relay-process.ts';

const WRITERS = 4;
const READERS = 2;
/** Pushed and not acknowledged, of one device. */
const WINDOW = 16;
const LIFE_MS_MIN = 15;
const LIFE_MS_MAX = 300;
const PAGE = 1_000_000;
/** Lives are too short to fold much, so nearly all is left to the end: some ten seconds for 200 of them. */
const FOLD_MS_MAX = 180_000;

export type KillRunOptions = {
  readonly root: string;
  readonly seed: number;
  readonly runs: number;
  readonly log: (line: string) => void;
};

export type KillRunResult = {
  readonly runs: number;
  readonly acknowledged: number;
  readonly seen: number;
  readonly pushedAgain: number;
  /** Of those pushed again: stored before the kill, though nobody was told. */
  readonly storedUnknown: number;
  readonly head: number;
};

type Pushed = { readonly writer: string; readonly sequence: number; readonly token: number };

export async function runRelayKills({ root, seed, runs, log }: KillRunOptions): Promise<KillRunResult> {
  const folder = await mkdtemp(join(tmpdir(), 'relay-kill-'));
  try {
    const state = new Expectations();
    for (let run = 1; run <= runs; run++) {
      const random = createSeededRandom(seed * 1000 + run);
      const relay = await startRelayProcess(root, ['--data', folder, '--open']);
      await inCase(`seed ${seed}, run ${run}`, () => oneLife(relay, state, random));
      if (run % 10 === 0) log(`run ${run}: ${state.acknowledged.size} acknowledged, ${state.seen.size} seen`);
    }
    const relay = await startRelayProcess(root, ['--data', folder, '--open']);
    const head = await inCase(`seed ${seed}, end`, () => lastLook(relay, state, log));
    await relay.end('SIGTERM');
    const { acknowledged, seen, pushedAgain, storedUnknown } = state;
    return { runs, acknowledged: acknowledged.size, seen: seen.size, pushedAgain, storedUnknown, head };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What devices were told, and may hold the relay to. */
class Expectations {
  /** Writer and sequence by place in the log, of each acknowledgement and of each batch that a follower saw. */
  readonly acknowledged = new Map<number, string>();
  readonly seen = new Map<number, string>();
  readonly unacknowledged = new Map<string, Pushed>();
  pushedAgain = 0;
  storedUnknown = 0;
  nextToken = 1;
  checkedThrough = 0;
}

async function oneLife(relay: RelayProcess, state: Expectations, random: () => number): Promise<void> {
  const checker = await openDevice(relay.url);
  const head = await check(checker, state, state.checkedThrough);
  const again = [...state.unacknowledged.values()];
  for (const pushed of again) {
    checker.send({ type: 'push', ...pushed, hasMore: false, changes: changesOf(pushed) });
    const { acks } = await checker.next('ack');
    for (const ack of acks) {
      state.pushedAgain++;
      if (ack.logSequence <= head) state.storedUnknown++;
      if (ack.logSequence > 0) acknowledge(state, ack);
      state.unacknowledged.delete(nameOf(ack));
    }
  }
  state.checkedThrough = head;
  const readers = await Promise.all(Array.from({ length: READERS }, () => openDevice(relay.url)));
  const writers = await Promise.all(Array.from({ length: WRITERS }, () => openDevice(relay.url)));
  let isAlive = true;
  const work = [
    ...readers.map((device) => follow(device, state, () => isAlive)),
    ...writers.map((device) => push(device, state, () => isAlive)),
  ];
  await sleep(LIFE_MS_MIN + random() * (LIFE_MS_MAX - LIFE_MS_MIN));
  await relay.end('SIGKILL');
  isAlive = false;
  for (const device of [...readers, ...writers]) await device.closed();
  await Promise.all(work);
  // What had arrived before the end counts as told.
  for (const device of writers)
    for (const { acks } of device.waiting('ack')) for (const ack of acks) settle(state, ack);
  for (const device of readers) for (const { batches } of device.waiting('deliver')) noteSeen(state, batches);
}

async function push(device: Device, state: Expectations, isAlive: () => boolean): Promise<void> {
  if ((await orGone(device, device.next('welcome'))) === undefined) return;
  let inFlight = 0;
  for (let sequence = 1; isAlive(); sequence++) {
    const pushed = { writer: device.writer, sequence, token: state.nextToken++ };
    state.unacknowledged.set(nameOf(pushed), pushed);
    device.send({ type: 'push', ...pushed, hasMore: false, changes: changesOf(pushed) });
    inFlight++;
    while (inFlight >= WINDOW) {
      const message = await orGone(device, device.next('ack'));
      if (message === undefined) return;
      for (const ack of message.acks) settle(state, ack);
      inFlight -= message.acks.length;
    }
  }
}

async function follow(device: Device, state: Expectations, isAlive: () => boolean): Promise<void> {
  const welcome = await orGone(device, device.next('welcome'));
  if (welcome === undefined) return;
  device.send({ type: 'pull', request: 1, after: welcome.head, bytesMax: PAGE, follow: true });
  while (isAlive()) {
    const message = await orGone(device, device.next('deliver'));
    if (message === undefined) return;
    noteSeen(state, message.batches);
  }
}

type Told = { readonly writer: string; readonly sequence: number; readonly logSequence: number };

function settle(state: Expectations, ack: Told): void {
  acknowledge(state, ack);
  state.unacknowledged.delete(nameOf(ack));
}

function acknowledge(state: Expectations, ack: Told): void {
  note(state.acknowledged, ack.logSequence, nameOf(ack));
}

function noteSeen(state: Expectations, batches: readonly DeliveredBatch[]): void {
  for (const { sequence, writer, writerSequence } of batches) {
    note(state.seen, sequence, nameOf({ writer, sequence: writerSequence }));
  }
}

/** Two devices that were told different things of one place would be a fault by itself. */
function note(places: Map<number, string>, place: number, name: string): void {
  const before = places.get(place);
  if (before !== undefined && before !== name) throw new Error(`Place ${place} was told as ${before} and as ${name}.`);
  places.set(place, name);
}

/** Reads the log behind a place, and holds it against what was told. Answers the head. */
async function check(device: Device, state: Expectations, after: number): Promise<number> {
  const { head } = await device.next('welcome');
  const stored = new Map<number, string>();
  const names = new Set<string>();
  let last = after;
  for (let request = 1; last < head; request++) {
    device.send({ type: 'pull', request, after: last, bytesMax: PAGE, follow: false });
    const { batches } = await device.next('deliver');
    for (const { sequence, writer, writerSequence, changes } of batches) {
      if (sequence !== last + 1) throw new Error(`Batch ${sequence} follows ${last}.`);
      last = sequence;
      const name = nameOf({ writer, sequence: writerSequence });
      if (names.has(name)) throw new Error(`${name} is stored twice.`);
      names.add(name);
      stored.set(sequence, name);
      const tokens = (changes ?? []).map(({ update }) => JSON.stringify(Object.values(fieldsOf([update]) as object)));
      if (tokens.length !== 2 || tokens[0] !== tokens[1]) throw new Error(`${name} is not whole: ${tokens}.`);
    }
  }
  for (const [kind, places] of [
    ['acknowledged', state.acknowledged],
    ['seen', state.seen],
  ] as const) {
    for (const [place, name] of places) {
      if (place > after && stored.get(place) !== name) {
        throw new Error(`${name} was ${kind} at ${place}, where there is ${stored.get(place) ?? 'nothing'}.`);
      }
    }
  }
  return head;
}

/** The whole log once more, and the rows: every batch must be in the states. */
async function lastLook(relay: RelayProcess, state: Expectations, log: (line: string) => void): Promise<number> {
  const device = await openDevice(relay.url);
  const head = await check(device, state, 0);
  await relay.folded({ deadlineMs: FOLD_MS_MAX, log });
  const fields = new Set<string>();
  for (let after = { sequence: 0, ordinal: 0 }, request = 1; ; request++) {
    device.send({ type: 'rows', request, after, bytesMax: PAGE });
    const page = await device.next('row-page');
    for (const row of page.rows)
      for (const field of Object.keys(fieldsOf([row.state]) as object)) fields.add(`${row.key}/${field}`);
    if (page.isComplete) break;
    after = page.rows.at(-1)!.at;
  }
  for (const name of state.acknowledged.values()) {
    for (const row of ['left', 'right']) {
      if (!fields.has(`${row}${rowOf(name)}/${name}`))
        throw new Error(`${name} is not in the row ${row}${rowOf(name)}.`);
    }
  }
  return head;
}

const ROWS = 20;
const rowOf = (name: string): number => Number.parseInt(name.slice(0, 4), 16) % ROWS;

/** A transaction over two rows, each of which gets a field named after the batch. */
function changesOf({ writer, sequence, token }: Pushed) {
  const name = nameOf({ writer, sequence });
  return ['left', 'right'].map((row) => setFields(`${row}${rowOf(name)}`, { [name]: token }));
}

const nameOf = ({ writer, sequence }: { readonly writer: string; readonly sequence: number }): string =>
  `${writer}:${sequence}`;

async function orGone<T>(device: Device, promise: Promise<T>): Promise<T | undefined> {
  return Promise.race([promise, device.closed().then(() => undefined)]).catch(() => undefined);
}

async function inCase<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw new Error(`${what}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function main(args: readonly string[], root: string): Promise<number> {
  const value = (name: string): string | undefined => args[args.indexOf(`--${name}`) + 1];
  const runs = args.includes('--runs') ? Number(value('runs')) : 200;
  const seed = args.includes('--seed') ? Number(value('seed')) : Date.now() % 1_000_000;
  console.log(`Killing the relay ${runs} times, seed ${seed}.`);
  console.log(JSON.stringify(await runRelayKills({ root, runs, seed, log: (line) => console.log(line) })));
  return 0;
}
