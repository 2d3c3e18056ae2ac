/**
 * Goal: what two devices changed without knowing of each other comes to what the collection's strategy says, on all devices,
 * whichever of the two was first at the relay and whichever Yjs prefers. Method: devices with real engines and a real
 * relay; both change while they are away, and come back one after the other.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { ConflictSpec } from '../../src/protocol/conflict-options.ts';
import type { FieldTypes } from '../../src/protocol/field-types.ts';
import type { ConflictRow } from '../../src/protocol/sync-worker.ts';
import { INBOX_ENTRIES_MAX } from '../../worker/sync/conflict-inbox.ts';
import type { AskPage } from '../../worker/sync/sync-context.ts';
import { type RunningFixture, startRelay } from '../server/relay-fixture.ts';
import { nodeSyncPlatform, SyncDevice, until } from './sync-device.ts';

let relay: RunningFixture;
const devices: SyncDevice[] = [];
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(async () => {
  for (const device of devices.splice(0)) await device.close();
  await relay.stop();
});

type Setting = {
  readonly spec: ConflictSpec;
  readonly fields?: FieldTypes;
  readonly askPage?: AskPage;
  readonly skewMs?: number;
};

async function open({ spec, fields = {}, askPage, skewMs = 0 }: Setting): Promise<SyncDevice> {
  const platform = nodeSyncPlatform();
  const device = await SyncDevice.open({
    url: relay.url,
    collections: [{ name: 'tasks', key: 'id', fields, conflict: spec }],
    platform: { ...platform, wallClock: () => platform.wallClock() + skewMs },
    ...(askPage === undefined ? {} : { askPage }),
  });
  devices.push(device);
  return device;
}

const inbox = async (device: SyncDevice): Promise<readonly ConflictRow[]> =>
  (await device.hidden('conflicts')) as unknown as readonly ConflictRow[];

/** All have sent all, and have the same rows. */
async function converged(...all: readonly SyncDevice[]): Promise<readonly Row[]> {
  const same = async (): Promise<boolean> => {
    for (const device of all) if ((await device.unsaved()) > 0) return false;
    const [first, ...others] = await Promise.all(all.map((device) => device.rows()));
    return others.every((rows) => JSON.stringify(sorted(rows)) === JSON.stringify(sorted(first!)));
  };
  // Twice: what one has sent the other may have to answer.
  for (let times = 0; times < 2; times++) {
    await until(same, 'devices to have the same rows', () => all.flatMap(({ failures }) => failures)[0]);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return all[0]!.rows();
}

const sorted = (rows: readonly Row[]): unknown =>
  rows.map((row) => Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));

type Change = (device: SyncDevice) => Promise<void>;
type Case = Setting & {
  readonly start: Row | undefined;
  readonly server: Change;
  readonly client: Change;
  readonly settings?: readonly Setting[];
};

/** `client` was away when `server` had its change at the relay, and changed, before or after that. */
async function conflict({
  start,
  server,
  client,
  settings,
  ...setting
}: Case): Promise<{ readonly rows: readonly Row[]; readonly one: SyncDevice; readonly two: SyncDevice }> {
  const [one, two] = [await open(settings?.[0] ?? setting), await open(settings?.[1] ?? setting)];
  if (start !== undefined) await one.put(start);
  await converged(one, two);
  two.killSync();
  await client(two);
  await server(one);
  await one.saved();
  await two.startSync();
  return { rows: await converged(one, two), one, two };
}

const put =
  (row: Row): Change =>
  (device) =>
    device.put(row);
const gone: Change = (device) => device.write(['tasks', 'a', undefined]);
const START = { id: 'a', f: 0, g: 0 };

describe('both have changed a field', () => {
  test.each([
    ['server-wins', 'server', { f: 'client' }],
    ['client-wins', 'client', { f: 'server' }],
    [{ f: 'server-wins', g: 'client-wins' }, 'server', { f: 'client' }],
    [{ f: 'client-wins' }, 'client', { f: 'server' }],
  ] as const)('[CONF-1] [CONF-3] %j: %s', async (spec, wins, dropped) => {
    // Both orders of Yjs' client ids.
    for (const isLate of [false, true]) {
      const { rows, one, two } = await conflict({
        spec,
        start: START,
        server: put({ ...START, f: 'server' }),
        client: async (device) => {
          await put({ ...START, f: 'client' })(device);
          if (!isLate) return;
          await device.startSync('ws://127.0.0.1:1');
          await until(async () => (await device.hidden('changes')).length === 0, 'the fold');
          device.killSync();
        },
      });
      expect(rows).toEqual([{ ...START, f: wins }]);
      expect(await inbox(one)).toEqual([]);
      expect(await inbox(two)).toMatchObject([
        {
          ...{ collection: 'tasks', key: 'a', kind: 'merged', fields: ['f'], dropped },
          base: START,
          local: { ...START, f: 'client' },
          remote: { ...START, f: 'server' },
        },
      ]);
      for (const device of devices.splice(0)) await device.close();
      await relay.stop();
      relay = await startRelay();
    }
  });

  test('[CONF-1] merge: what the document dropped is in the inbox of the device that was later at the relay', async () => {
    const { rows, one, two } = await conflict({
      spec: 'merge',
      start: START,
      server: put({ ...START, f: 'server' }),
      client: put({ ...START, f: 'client' }),
    });
    const won = rows[0]!['f'];
    expect(['server', 'client']).toContain(won);
    expect(await inbox(one)).toEqual([]);
    expect(await inbox(two)).toMatchObject([
      { kind: 'merged', fields: ['f'], dropped: { f: won === 'server' ? 'client' : 'server' } },
    ]);
  });

  test('[CONF-1] different fields, equal values, fields with a type: no conflict', async () => {
    const fields = { n: 'counter' } as const;
    const start = { ...START, n: 1 };
    for (const spec of ['merge', 'last-write-wins', { f: 'manual', g: 'server-wins' }] as const) {
      const { rows, two } = await conflict({
        ...{ spec, fields, start },
        server: put({ ...start, f: 1, n: 3, same: true }),
        client: put({ ...start, g: 1, n: 6, same: true }),
      });
      expect(rows).toEqual([{ ...start, f: 1, g: 1, n: 8, same: true }]);
      expect(await inbox(two)).toEqual([]);
      for (const device of devices.splice(0)) await device.write(['tasks', 'a', undefined]).then(() => device.close());
      await relay.stop();
      relay = await startRelay();
    }
  });

  test('[CONF-3] of a whole document the plain fields are one thing: those of one side stay, types merge', async () => {
    const fields = { n: 'counter' } as const;
    const start = { ...START, n: 1 };
    const { rows, two } = await conflict({
      ...{ spec: 'server-wins', fields, start },
      server: put({ ...start, f: 'server', n: 3 }),
      client: put({ ...start, g: 'client', n: 6 }),
    });
    expect(rows).toEqual([{ ...start, f: 'server', n: 8 }]);
    expect(await inbox(two)).toMatchObject([{ fields: ['g'], dropped: { g: 'client' } }]);
  });

  test('[CONF-2] a second change of the others is held against what the first conflict came to', async () => {
    for (const [spec, expected] of [
      ['server-wins', 'server 2'],
      ['client-wins', 'client'],
    ] as const) {
      const [one, two] = [await open({ spec: { f: spec } }), await open({ spec: { f: spec } })];
      await one.put(START);
      await converged(one, two);
      two.killSync();
      await two.put({ ...START, f: 'client' });
      await one.put({ ...START, f: 'server 1' });
      await one.saved();
      // It hears, and can send nothing: its batches are refused on the way.
      const { send } = heldPushes(two);
      await two.startSync();
      await until(async () => (await inbox(two)).length === 1, 'the first conflict');
      await one.put({ ...START, f: 'server 2', g: 2 });
      await one.saved();
      await until(async () => (await two.row('a'))!['g'] === 2, 'the second change');
      expect(await two.row('a')).toEqual({ ...START, f: expected, g: 2 });
      send();
      expect(await converged(one, two)).toEqual([{ ...START, f: expected, g: 2 }]);
      for (const device of devices.splice(0)) await device.close();
      await relay.stop();
      relay = await startRelay();
    }
  });
});

/** Pushes of a device do not reach the relay until `send`. */
function heldPushes(device: SyncDevice): { readonly send: () => void } {
  device.holdsPushes = true;
  return {
    send: () => {
      device.holdsPushes = false;
      device.killSync();
      void device.startSync();
    },
  };
}

describe('[CONF-4] last-write-wins', () => {
  const settings = (server: number, client: number): readonly Setting[] =>
    [server, client].map((skewMs) => ({ spec: 'last-write-wins', skewMs }));

  test.each([
    ['the later one, at the relay first', settings(60_000, 0), 'server'],
    ['the later one, at the relay last', settings(0, 60_000), 'client'],
    ['not one whose clock cannot be right', settings(3_600_000, 0), 'client'],
  ] as const)('%s', async (_name, both, wins) => {
    const { rows, two } = await conflict({
      ...{ spec: 'last-write-wins', settings: both, start: START },
      server: put({ ...START, f: 'server' }),
      client: put({ ...START, f: 'client' }),
    });
    expect(rows).toEqual([{ ...START, f: wins }]);
    expect(await inbox(two)).toMatchObject([{ dropped: { f: wins === 'client' ? 'server' : 'client' } }]);
  });

  test('what knew of another change is later than that, whatever its clock says', async () => {
    const spec = 'last-write-wins';
    const [ahead, right] = [await open({ spec, skewMs: 240_000 }), await open({ spec })];
    await ahead.put(START);
    const away = await open({ spec, skewMs: 120_000 });
    await converged(ahead, right, away);
    away.killSync();
    await away.put({ ...START, f: 'away' });
    await ahead.put({ ...START, f: 'ahead' });
    await converged(ahead, right);
    await right.put({ ...START, f: 'after it' });
    await converged(ahead, right);
    await away.startSync();
    expect(await converged(ahead, right, away)).toEqual([{ ...START, f: 'after it' }]);
    expect(await inbox(away)).toMatchObject([{ dropped: { f: 'away' } }]);
  });

  test('a delete counts as a change of its time', async () => {
    for (const [client, expected] of [
      [60_000, []],
      [-60_000, [{ ...START, f: 'server' }]],
    ] as const) {
      const { rows, two } = await conflict({
        ...{ spec: 'last-write-wins', settings: settings(0, client), start: START },
        server: put({ ...START, f: 'server' }),
        client: gone,
      });
      expect(rows).toEqual(expected);
      expect(await inbox(two)).toMatchObject([{ dropped: client > 0 ? { ...START, f: 'server' } : null }]);
      for (const device of devices.splice(0)) await device.close();
      await relay.stop();
      relay = await startRelay();
    }
  });
});

describe('[CONF-3] one has deleted what the other has changed', () => {
  const changed = { ...START, f: 'changed' };
  test.each([
    ['merge', gone, put(changed), []],
    ['merge', put(changed), gone, []],
    [{ f: 'client-wins' }, gone, put(changed), []],
    ['server-wins', gone, put(changed), []],
    ['server-wins', put(changed), gone, [changed]],
    ['client-wins', gone, put(changed), [changed]],
    ['client-wins', put(changed), gone, []],
    ['manual', put(changed), gone, []],
  ] as const)('%j', async (spec, server, client, expected) => {
    const { rows, two } = await conflict({ spec, start: START, server, client });
    expect(rows).toEqual(expected);
    const kind = spec === 'manual' ? 'manual' : 'merged';
    const dropped = spec === 'manual' ? {} : expected.length === 0 ? changed : null;
    expect(await inbox(two)).toMatchObject([{ kind, fields: ['f'], dropped }]);
  });

  test('a delete of what nobody else has changed is no conflict', async () => {
    const { rows, two } = await conflict({
      spec: 'client-wins',
      start: START,
      server: gone,
      client: async (device) => device.put({ id: 'b' }),
    });
    expect(rows).toEqual([{ id: 'b' }]);
    expect(await inbox(two)).toEqual([]);
  });
});

test('[CONF-1] both have made the same key: all that differs is a conflict', async () => {
  const { rows, two } = await conflict({
    ...{ spec: 'client-wins', start: undefined },
    server: put({ id: 'a', f: 'server', same: 1 }),
    client: put({ id: 'a', f: 'client', same: 1 }),
  });
  expect(rows).toEqual([{ id: 'a', f: 'client', same: 1 }]);
  expect(await inbox(two)).toMatchObject([{ base: null, fields: ['f'], dropped: { f: 'server' } }]);
});

test('[CONF-2] what was acknowledged is no conflict with what comes later, also after a restart', async () => {
  const [one, two] = [await open({ spec: 'client-wins' }), await open({ spec: 'client-wins' })];
  await one.put(START);
  await converged(one, two);
  for (let n = 1; n <= 6; n++) {
    const [writer, other] = n % 2 === 0 ? [one, two] : [two, one];
    await writer.put({ ...START, f: n });
    await converged(one, two);
    if (n % 3 === 0) {
      other.killSync();
      await other.startSync();
    }
  }
  expect(await converged(one, two)).toEqual([{ ...START, f: 6 }]);
  expect([await inbox(one), await inbox(two)]).toEqual([[], []]);
});

test('[CONF-6] the inbox is bounded: of more the oldest go', async () => {
  const rows = Array.from({ length: INBOX_ENTRIES_MAX + 20 }, (_, n) => ({ id: `${n}`.padStart(4, '0'), f: 0 }));
  const [one, two] = [await open({ spec: 'server-wins' }), await open({ spec: 'server-wins' })];
  await one.put(...rows);
  await converged(one, two);
  two.killSync();
  for (const part of [rows.slice(0, 120), rows.slice(120)]) {
    await two.put(...part.map((row) => ({ ...row, f: 'client' })));
    await one.put(...part.map((row) => ({ ...row, f: 'server' })));
    await one.saved();
    await two.startSync();
    await converged(one, two);
    two.killSync();
  }
  const entries = await inbox(two);
  expect(entries).toHaveLength(INBOX_ENTRIES_MAX);
  expect(entries.some(({ key }) => key === '0000')).toBe(false);
  expect(entries.at(-1)!.key).toBe(rows.at(-1)!.id);
});
