/**
 * What every log of a relay promises, as cases that run on all of them. An adapter author calls `describeRelayLog` with a
 * function that creates an empty home; each `open` of it is another run of the relay.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RelayLog, RowState, StatePut, StoreLog } from '../../server/log/index.ts';
import { encodeChanges } from '../../src/protocol/sync/index.ts';

export type RelayLogHome = { open(): Promise<RelayLog>; remove(): Promise<void> };

const ALL = Number.MAX_SAFE_INTEGER;
const START = { sequence: 0, ordinal: 0 };
const A = 'a'.repeat(32);
const B = 'b'.repeat(32);

export function describeRelayLog(name: string, createHome: () => Promise<RelayLogHome>): void {
  describe(`relay log contract: ${name}`, () => {
    let fixture: Fixture;
    beforeEach(async () => {
      fixture = await createFixture(await createHome());
    });
    afterEach(() => fixture.dispose());
    const use = (): Fixture => fixture;
    describeAppend(use);
    describeRepetition(use);
    describeRead(use);
    describeTail(use);
    describeStates(use);
    describeRows(use);
    describeTrim(use);
    describeStores(use);
  });
}

function describeAppend(use: () => Fixture): void {
  test('[LOG-1] sequences are 1, 2, 3 in the order of calls', async () => {
    const { log } = use();
    expect(log.head).toBe(0);
    const appended = await Promise.all([1, 2, 3, 4, 5].map((n) => log.append(batch(A, n))));
    expect(appended).toEqual([1, 2, 3, 4, 5].map((sequence) => ({ sequence, isRepeated: false })));
    expect(log.head).toBe(5);
  });

  test('[LOG-1] what was appended is there after a restart, and the sequence goes on', async () => {
    await use().log.append(batch(A, 1));
    await use().log.append(batch(B, 1));
    const log = await use().reopen();
    expect(log.head).toBe(2);
    expect(await bodies(log)).toEqual([`${A}:1`, `${B}:1`]);
    expect((await log.append(batch(A, 2))).sequence).toBe(3);
  });

  test('[LOG-1] the head moves only when the batch is durable', async () => {
    const { log } = use();
    const appended = log.append(batch(A, 1));
    expect(log.head).toBe(0);
    await appended;
    expect(log.head).toBe(1);
  });

  test.each([0, 1, 127, 128, 65_536, 3_000_000])('[LOG-1] a batch of %i bytes comes back whole', async (size) => {
    const body = Uint8Array.from({ length: size }, (_, at) => (at * 31) % 256);
    await use().log.append({ writer: A, writerSequence: 1, body });
    const [read] = await (await use().reopen()).read(0, ALL);
    expect(Buffer.compare(read!.body, body)).toBe(0);
    expect(read).toMatchObject({ sequence: 1, writer: A, writerSequence: 1 });
  });
}

function describeRepetition(use: () => Fixture): void {
  test('[LOG-2] a batch that comes again is stored once', async () => {
    const { log } = use();
    await log.append(batch(A, 1));
    await log.append(batch(A, 2));
    expect(await log.append(batch(A, 2))).toEqual({ sequence: 2, isRepeated: true });
    expect((await log.append(batch(A, 1))).isRepeated).toBe(true);
    expect(await bodies(log)).toEqual([`${A}:1`, `${A}:2`]);
  });

  test('[LOG-2] also while the first is on its way, and then it waits for it', async () => {
    const { log } = use();
    await log.append(batch(A, 1));
    const first = log.append(batch(A, 2));
    const again = log.append(batch(A, 2)).then((appended) => ({ appended, head: log.head }));
    expect(await first).toEqual({ sequence: 2, isRepeated: false });
    expect(await again).toEqual({ appended: { sequence: 2, isRepeated: true }, head: 2 });
  });

  test('[LOG-2] also when the writer is not known yet', async () => {
    const { log } = use();
    const appended = await Promise.all([batch(A, 1), batch(A, 1), batch(A, 1)].map((same) => log.append(same)));
    expect(appended.filter(({ isRepeated }) => !isRepeated)).toHaveLength(1);
    expect(log.head).toBe(1);
  });

  test('[LOG-2] also after a restart', async () => {
    for (let n = 1; n <= 3; n++) await use().log.append(batch(A, n));
    const log = await use().reopen();
    for (const n of [1, 2, 3]) expect((await log.append(batch(A, n))).isRepeated, `batch ${n}`).toBe(true);
    expect((await log.append(batch(A, 4))).isRepeated).toBe(false);
    expect(log.head).toBe(4);
  });

  test('[LOG-2] writers do not know of each other', async () => {
    const { log } = use();
    await log.append(batch(A, 1));
    expect((await log.append(batch(B, 1))).isRepeated).toBe(false);
  });

  test('[LOG-3] a sequence that was left out is new when it comes, also after a restart', async () => {
    await use().log.append(batch(A, 1));
    await use().log.append(batch(A, 5));
    await use().log.append(batch(A, 3));
    const log = await use().reopen();
    expect((await log.append(batch(A, 3))).isRepeated).toBe(true);
    expect((await log.append(batch(A, 4))).isRepeated).toBe(false);
    expect((await log.append(batch(A, 2))).isRepeated).toBe(false);
    expect((await log.append(batch(A, 4))).isRepeated).toBe(true);
    expect(await bodies(log)).toEqual([1, 5, 3, 4, 2].map((n) => `${A}:${n}`));
  });

  test('[LOG-3] too many left out are refused, and nothing is stored', async () => {
    const { log } = use();
    await log.append(batch(A, 1));
    await expect(log.append(batch(A, 2000))).rejects.toMatchObject({ code: 'log/sequence-gap' });
    expect((await log.append(batch(A, 2))).sequence).toBe(2);
  });

  test('[LOG-2] a writer that is forgotten begins anew, others stay known', async () => {
    const { log } = use();
    await log.append(batch(A, 1));
    expect(await log.forgetWriters(0)).toBe(0);
    expect((await log.append(batch(A, 1))).isRepeated).toBe(true);
    expect(await log.forgetWriters(ALL)).toBe(1);
    expect((await log.append(batch(A, 1))).isRepeated).toBe(false);
  });
}

function describeRead(use: () => Fixture): void {
  test.each([0, 1, 5, 9, 10, 11])('[LOG-4] behind %i of 10', async (after) => {
    const { log } = use();
    await fill(log, 10);
    const read = await log.read(after, ALL);
    expect(read.map(({ sequence }) => sequence)).toEqual(range(1, 10).filter((sequence) => sequence > after));
  });

  test.each([0, 1, 100, 1_000])('[LOG-4] pages of %i bytes are whole, in order and without a gap', async (bytesMax) => {
    const { log } = use();
    await fill(log, 60);
    const all: number[] = [];
    for (;;) {
      const page = await log.read(all.at(-1) ?? 0, bytesMax);
      if (page.length === 0) break;
      all.push(...page.map(({ sequence }) => sequence));
    }
    expect(all).toEqual(range(1, 60));
  });

  test('[LOG-4] what is not durable is not read', async () => {
    const { log } = use();
    await fill(log, 3);
    const appended = log.append(batch(B, 1));
    expect((await log.read(0, ALL)).length).toBeLessThanOrEqual(log.head);
    await appended;
    expect(await log.read(0, ALL)).toHaveLength(4);
  });
}

function describeTail(use: () => Fixture): void {
  test('[LOG-5] the tail tells all batches in order, before their appends resolve, and only durable ones', async () => {
    const { log } = use();
    await fill(log, 2);
    const told: number[] = [];
    const stop = log.tail((batches) => {
      told.push(...batches.map(({ sequence }) => sequence));
      expect(log.head).toBe(told.at(-1));
    });
    const appends = range(3, 40).map(async (n) => {
      const { sequence } = await log.append(batch(A, n));
      expect(told).toContain(sequence);
    });
    await Promise.all(appends);
    expect(told).toEqual(range(3, 40));
    stop();
    await log.append(batch(A, 41));
    expect(told).toHaveLength(38);
  });

  test('[LOG-5] a batch that comes again is not told again', async () => {
    const { log } = use();
    const told: number[] = [];
    log.tail((batches) => told.push(...batches.map(({ sequence }) => sequence)));
    await log.append(batch(A, 1));
    await log.append(batch(A, 1));
    expect(told).toEqual([1]);
  });
}

function describeStates(use: () => Fixture): void {
  test('[LOG-6] a state comes back, also after a restart', async () => {
    await fill(use().log, 3);
    await use().log.putStates([put('x', 3, 0), { ...put(5, 2, 7), projection: undefined }], 3);
    const log = await use().reopen();
    expect(plain(await log.state({ collection: 'tasks', key: 'x' }))).toEqual(stateOf(put('x', 3, 0)));
    expect(plain(await log.state({ collection: 'tasks', key: 5 }))).toEqual({
      ...stateOf(put(5, 2, 7)),
      projection: undefined,
    });
    expect(await log.state({ collection: 'tasks', key: '5' })).toBeUndefined();
    expect(await log.state({ collection: 'other', key: 'x' })).toBeUndefined();
    expect([log.folded, log.rowCount]).toEqual([3, 2]);
  });

  test('[LOG-6] a put whose expectation is out of date is left out, the others are not', async () => {
    const { log } = use();
    await fill(log, 5);
    await log.putStates([put('x', 2, 0)], 2);
    await log.putStates([put('x', 4, 0), put('y', 3, 0)], 4);
    expect((await log.state({ collection: 'tasks', key: 'x' }))!.at.sequence).toBe(2);
    expect((await log.state({ collection: 'tasks', key: 'y' }))!.at.sequence).toBe(3);
    await log.putStates([put('x', 4, 0, 2)], 4);
    expect((await log.state({ collection: 'tasks', key: 'x' }))!.at.sequence).toBe(4);
    expect(log.rowCount).toBe(2);
  });

  test('[LOG-6] of two puts at once that expect the same, one is taken', async () => {
    const { log } = use();
    await fill(log, 5);
    await Promise.all([log.putStates([put('x', 1, 0)], 1), log.putStates([put('x', 2, 0)], 2)]);
    expect((await log.state({ collection: 'tasks', key: 'x' }))!.at.sequence).toBe(1);
    expect([log.rowCount, log.folded]).toEqual([1, 2]);
  });
}

function describeRows(use: () => Fixture): void {
  test('[LOG-7] rows come in the order of their last changes', async () => {
    const { log } = use();
    await fill(log, 9);
    await log.putStates([put('x', 1, 0), put('y', 1, 1), put('z', 2, 0)], 2);
    await log.putStates([put('x', 3, 0, 1)], 3);
    const { rows, isComplete, through } = await log.rows(START, ALL);
    expect(rows.map(({ key }) => key)).toEqual(['y', 'z', 'x']);
    expect([isComplete, through]).toEqual([true, 3]);
    expect((await log.rows({ sequence: 1, ordinal: 1 }, ALL)).rows.map(({ key }) => key)).toEqual(['z', 'x']);
    expect((await log.rows({ sequence: 3, ordinal: 0 }, ALL)).rows).toEqual([]);
  });

  test.each([0, 20, 500])('[LOG-7] pages of %i bytes tell every row', async (bytesMax) => {
    const { log } = use();
    await fill(log, 2);
    const puts = range(0, 99).map((n) => put(`row ${n}`, 1, n));
    await log.putStates(puts, 2);
    const keys: unknown[] = [];
    for (let at = START; ; ) {
      const page = await log.rows(at, bytesMax);
      keys.push(...page.rows.map(({ key }) => key));
      if (page.isComplete) break;
      expect(page.rows.length).toBeGreaterThan(0);
      at = page.rows.at(-1)!.at;
    }
    expect(keys).toEqual(puts.map(({ key }) => key));
  });

  test('[LOG-7] rows with long keys are all told, however many bytes their names take', async () => {
    const { log } = use();
    await fill(log, 2);
    const puts = range(0, 899).map((n) => put(`${'key '.repeat(50)}${n}`, 1, n));
    await log.putStates(puts, 2);
    const told: unknown[] = [];
    for (let at = START; ; ) {
      const page = await log.rows(at, ALL);
      told.push(...page.rows.map(({ key }) => key));
      if (page.isComplete) break;
      at = page.rows.at(-1)!.at;
    }
    expect(told).toEqual(puts.map(({ key }) => key));
  });

  test('[LOG-7] states are told in an order that stays, each once, with the place that they are of', async () => {
    const { log } = use();
    await fill(log, 4);
    await log.putStates([...range(0, 24).map((n) => put(`row ${n}`, 1, n)), put(7, 2, 0), put('x', 2, 1)], 3);
    const keys: unknown[] = [];
    for (let after: Parameters<typeof log.statesAfter>[0]; ; ) {
      const { rows, isLast, through } = await log.statesAfter(after, 4);
      expect(through).toBe(3);
      for (const row of rows) expect(plain(row)).toMatchObject(stateOf(put(row.key, row.at.sequence, row.at.ordinal)));
      keys.push(...rows.map(({ key }) => key));
      if (isLast) break;
      expect(rows).toHaveLength(4);
      after = rows.at(-1)!;
    }
    expect(keys).toHaveLength(27);
    expect(new Set(keys)).toEqual(new Set([...range(0, 24).map((n) => `row ${n}`), 7, 'x']));
    expect(await log.statesAfter({ collection: 'zzzzzzzz', key: 'x' }, 4)).toEqual({
      rows: [],
      isLast: true,
      through: 3,
    });
  });

  test('[LOG-7] a row that changes between pages is told again, and none is missed', async () => {
    const { log } = use();
    await fill(log, 30);
    await log.putStates(
      range(1, 20).map((n) => put(n, n, 0)),
      20,
    );
    const told = new Map<unknown, number>();
    for (let at = START, step = 0; ; step++) {
      const page = await log.rows(at, 1);
      for (const row of page.rows) told.set(row.key, row.at.sequence);
      if (page.isComplete) break;
      at = page.rows.at(-1)!.at;
      // One that was told, and one that was not.
      if (step < 5) await log.putStates([put(step + 1, 21 + step, 0, step + 1)], 21 + step);
      if (step === 8) await log.putStates([put(20, 27, 0, 20)], 27);
    }
    expect([...told].sort(([a], [b]) => Number(a) - Number(b))).toEqual(
      range(1, 20).map((n) => [n, n <= 5 ? 20 + n : n === 20 ? 27 : n]),
    );
  });
}

function describeTrim(use: () => Fixture): void {
  test('[LOG-8] what is trimmed cannot be read, the rest can, also after a restart', async () => {
    await fill(use().log, 10);
    await use().log.putStates([put('x', 8, 0)], 8);
    await use().log.trim(6);
    for (const open of [async () => use().log, () => use().reopen()]) {
      const log = await open();
      expect([log.floor, log.head, log.folded]).toEqual([6, 10, 8]);
      await expect(log.read(5, ALL)).rejects.toMatchObject({ code: 'log/trimmed' });
      expect((await log.read(6, ALL)).map(({ sequence }) => sequence)).toEqual([7, 8, 9, 10]);
      expect(plain(await log.state({ collection: 'tasks', key: 'x' }))).toEqual(stateOf(put('x', 8, 0)));
    }
  });

  test('[LOG-8] the last batch stays, and with it the head', async () => {
    await fill(use().log, 4);
    await use().log.putStates([], 4);
    await use().log.trim(4);
    const log = await use().reopen();
    expect([log.floor, log.head]).toEqual([3, 4]);
    expect((await log.append(batch(B, 1))).sequence).toBe(5);
  });

  test('[LOG-8] what is not folded is not trimmed', async () => {
    await fill(use().log, 4);
    await use().log.putStates([], 2);
    await expect(use().log.trim(3)).rejects.toThrow();
    expect(use().log.floor).toBe(0);
  });

  test('[LOG-8] a writer whose batches are trimmed is still known', async () => {
    await fill(use().log, 4);
    await use().log.putStates([], 4);
    await use().log.trim(3);
    const log = await use().reopen();
    expect((await log.append(batch(A, 2))).isRepeated).toBe(true);
  });
}

function describeStores(use: () => Fixture): void {
  test('[LOG-9] stores do not see each other', async () => {
    const other = await use().relayLog.open('other');
    await use().log.append(batch(A, 1));
    expect((await other.append(batch(A, 1))).isRepeated).toBe(false);
    await other.append(batch(A, 2));
    await other.putStates([put('x', 1, 0)], 1);
    expect([use().log.head, other.head]).toEqual([1, 2]);
    expect(await use().log.state({ collection: 'tasks', key: 'x' })).toBeUndefined();
    expect((await use().log.rows(START, ALL)).rows).toEqual([]);
    expect(await use().relayLog.stores()).toEqual(['main', 'other']);
  });

  test('[LOG-9] the epoch is drawn once', async () => {
    const { epoch } = use().log;
    expect(epoch).not.toBe('');
    expect((await use().relayLog.open('other')).epoch).not.toBe(epoch);
    expect((await use().reopen()).epoch).toBe(epoch);
  });

  test('[LOG-9] a store opened twice is one', async () => {
    const { relayLog } = use();
    const [first, second] = await Promise.all([relayLog.open('twice'), relayLog.open('twice')]);
    expect(first).toBe(second);
  });
}

type Fixture = {
  readonly relayLog: RelayLog;
  readonly log: StoreLog;
  reopen(): Promise<StoreLog>;
  dispose(): Promise<void>;
};

async function createFixture(home: RelayLogHome): Promise<Fixture> {
  let relayLog = await home.open();
  let log = await relayLog.open('main');
  return {
    get relayLog() {
      return relayLog;
    },
    get log() {
      return log;
    },
    async reopen() {
      await relayLog.close();
      relayLog = await home.open();
      log = await relayLog.open('main');
      return log;
    },
    async dispose() {
      await relayLog.close();
      await home.remove();
    },
  };
}

/** A batch whose one row tells whose it is. */
function batch(writer: string, writerSequence: number): Parameters<StoreLog['append']>[0] {
  const update = new TextEncoder().encode(`${writer}:${writerSequence}`);
  return { writer, writerSequence, body: encodeChanges([{ collection: 'tasks', key: 'x', update }]) };
}

async function fill(log: StoreLog, count: number): Promise<void> {
  await Promise.all(range(1, count).map((n) => log.append(batch(A, n))));
}

async function bodies(log: StoreLog): Promise<readonly string[]> {
  const batches = await log.read(0, ALL);
  return batches.map(({ body }) => new TextDecoder().decode(body).match(/[ab]{32}:\d+/)![0]);
}

function put(key: string | number, sequence: number, ordinal: number, expectedSequence = 0): StatePut {
  const text = new TextEncoder().encode(`${key} at ${sequence}`);
  const projection = text.map((byte) => byte ^ 1);
  return { collection: 'tasks', key, at: { sequence, ordinal }, state: text, projection, expectedSequence };
}

const stateOf = ({ at, state, projection }: StatePut): object => ({ at, state, projection });

/** Some stores give Buffers, which are byte arrays of another class. */
function plain(state: RowState | undefined): RowState | undefined {
  const bytes = (value: Uint8Array): Uint8Array => new Uint8Array(value);
  return state && { ...state, state: bytes(state.state), projection: state.projection && bytes(state.projection) };
}

const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);
