/** Goal: the logs keep their contract, and faults of what is below them cost nothing that was acknowledged. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createMemoryHome, openKeyedLog, openLevelLog, openMemoryLog, type RelayLog } from '../../server/log/index.ts';
import { batchKey } from '../../server/log/log-keys.ts';
import { encodeBatch } from '../../server/log/log-values.ts';
import { openMemoryStore } from '../../server/log/memory-store.ts';
import { createPlatform } from '../../src/base/platform.ts';
import { encodeChanges } from '../../src/protocol/sync/index.ts';
import { describeRelayLog } from '../contracts/relay-log-contract.ts';
import { textOf } from '../tidy/sources.ts';

const platform = createPlatform();
const WRITER = 'c'.repeat(32);

describeRelayLog('memory', async () => {
  const home = createMemoryHome();
  return { open: () => openMemoryLog(platform, home), remove: async () => {} };
});

describeRelayLog('LevelDB', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'relay-log-'));
  return { open: () => openLevelLog(folder, platform), remove: () => rm(folder, { recursive: true, force: true }) };
});

test('[R1] a flush that fails ends the log: nothing is acknowledged any more', async () => {
  const home = createMemoryHome();
  const store = openMemoryStore(home);
  let isBroken = false;
  const log = await openKeyedLog(
    { ...store, write: (...write) => (isBroken ? Promise.reject(new Error('EIO')) : store.write(...write)) },
    platform,
  );
  const main = await log.open('main');
  await main.append(numbered(1));
  const told: number[] = [];
  main.tail((batches) => told.push(...batches.map(({ sequence }) => sequence)));
  isBroken = true;
  const failed = [main.append(numbered(2)), main.append(numbered(3)), main.append(numbered(2))];
  for (const append of failed) await expect(append).rejects.toMatchObject({ code: 'log/unavailable' });
  isBroken = false;
  await expect(main.append(numbered(4))).rejects.toMatchObject({ code: 'log/unavailable' });
  expect([main.head, told, log.failure?.name]).toEqual([1, [], 'StoreError']);
  const reopened = await (await openMemoryLog(platform, home)).open('main');
  expect((await reopened.append(numbered(2))).isRepeated).toBe(false);
});

test('[R1] appends that come together are flushed together', async () => {
  const store = openMemoryStore();
  let flushCount = 0;
  const log = await openKeyedLog(
    {
      ...store,
      async write(writes, durability) {
        if (durability === 'flushed') flushCount++;
        await new Promise((resolve) => setTimeout(resolve, 2));
        await store.write(writes, durability);
      },
    },
    platform,
  );
  const main = await log.open('main');
  flushCount = 0;
  const bytes = log.pendingBytes;
  const appends = Array.from({ length: 500 }, (_, index) => main.append(numbered(index + 1)));
  await new Promise((resolve) => setImmediate(resolve));
  expect(log.pendingBytes).toBeGreaterThan(bytes);
  await Promise.all(appends);
  expect(flushCount).toBeLessThanOrEqual(3);
  expect(log.pendingBytes).toBe(0);
});

test('[R5] a damaged batch is named, and other stores go on', async () => {
  const home = createMemoryHome();
  const store = openMemoryStore(home);
  const log = await openKeyedLog(store, platform);
  const [first, second] = [await log.open('first'), await log.open('second')];
  for (const one of [first, second]) for (const n of [1, 2, 3]) await one.append(numbered(n));
  await store.write([{ type: 'put', key: batchKey(1, 2), value: Uint8Array.of(1, 2, 3, 4, 5) }], 'flushed');
  await expect(first.read(0, 1_000_000)).rejects.toMatchObject({ code: 'log/damaged' });
  expect(await second.read(0, 1_000_000)).toHaveLength(3);
});

test('[LOG-1] a folder that another relay holds is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'relay-log-'));
  let log: RelayLog | undefined;
  try {
    log = await openLevelLog(folder, platform);
    await expect(openLevelLog(folder, platform)).rejects.toMatchObject({ code: 'log/unavailable' });
  } finally {
    await log?.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test('[LOG-10] the example of FORMAT.md', () => {
  const format = textOf('server/log/FORMAT.md');
  const protocol = textOf('src/protocol/sync/PROTOCOL.md');
  const update = protocol.match(/an update of 21 bytes\n(.*?)\n\n/s)![1]!;
  const bytes = Uint8Array.from(
    update
      .split('\n')
      .flatMap((line) => [...line.slice(0, 57).matchAll(/\b[0-9a-f]{2}\b/g)].map(([hex]) => Number(`0x${hex}`))),
  );
  const body = encodeChanges([{ collection: 'tasks', key: 'a', update: bytes }]);
  const writer = '000102030405060708090a0b0c0d0e0f';
  const value = encodeBatch({ writer, writerSequence: 1, timeMs: 1_700_000_000_000, body });
  expect(Buffer.from(batchKey(1, 1)).toString('hex')).toBe(hexAfter(format, 'Key, 13 bytes:\n\n'));
  expect(value).toHaveLength(Number(format.match(/Value, (\d+) bytes/)![1]));
  expect(body).toHaveLength(Number(format.match(/changes: (\d+) bytes/)![1]));
  const time = format.match(/ {4}([0-9a-f ]+?) +time/)![1]!.replaceAll(' ', '');
  expect(Buffer.from(value).toString('hex').slice(8)).toBe(`${writer}01${time}${Buffer.from(body).toString('hex')}`);
});

const hexAfter = (text: string, mark: string): string =>
  text
    .slice(text.indexOf(mark) + mark.length)
    .split('\n')[0]!
    .replaceAll(' ', '');

function numbered(writerSequence: number): { writer: string; writerSequence: number; body: Uint8Array } {
  return { writer: WRITER, writerSequence, body: encodeChanges([]) };
}
