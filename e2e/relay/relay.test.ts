/** Goal: the built relay, as a user starts it. Method: its process, killed, stopped and started again. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDevice, setFields } from '../../test/server/device.ts';
import { runRelayKills } from './kill-run.ts';
import { startRelayProcess } from './relay-process.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const SEED = 20_260_101;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-process-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('[R1] what was acknowledged or seen is there after 15 kills under load', { timeout: 240_000 }, async () => {
  const result = await runRelayKills({ root: ROOT, seed: SEED, runs: 15, log: (line) => console.log(line) });
  console.log(`seed ${SEED}: ${JSON.stringify(result)}`);
  // Else no kill met anything that matters.
  expect(result.acknowledged).toBeGreaterThan(500);
  expect(result.seen).toBeGreaterThan(500);
  expect(result.pushedAgain).toBeGreaterThan(10);
});

test('[REL-7] SIGTERM ends the relay in order, and the next one goes on', async () => {
  const secret = join(folder, 'secret');
  await writeFile(secret, 'open sesame\n');
  const args = ['--data', join(folder, 'data'), '--secret-file', secret];
  const first = await startRelayProcess(ROOT, args);
  const device = await openDevice(first.url, { token: 'open sesame' });
  await device.push(1, [setFields('a', { n: 1 })]);
  const code = first.end('SIGTERM');
  expect((await device.closed()).code).toBe(1012);
  expect(await code).toBe(0);
  expect(first.lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual([
    'started',
    'stopping',
    'stopped',
  ]);
  const second = await startRelayProcess(ROOT, args);
  const health = await (await fetch(`${second.url.replace('ws', 'http')}/health`)).json();
  expect(health).toMatchObject({ status: 'ok' });
  const back = await openDevice(second.url, { token: 'open sesame' });
  expect(await back.next('welcome')).toMatchObject({ head: 1 });
  expect(await second.end('SIGTERM')).toBe(0);
});

test('[REL-7] the relay goes on when nobody reads its events any more', async () => {
  const relay = await startRelayProcess(ROOT, ['--data', join(folder, 'data'), '--open', '--verbose']);
  relay.deafen();
  for (let sequence = 1; sequence <= 3; sequence++) {
    const device = await openDevice(relay.url, {});
    await device.push(sequence, [setFields('a', { n: sequence })]);
    device.end();
  }
  expect(await relay.end('SIGTERM')).toBe(0);
});

test.each([
  ['no secret', []],
  ['a port that is none', ['--open', '--port', 'x']],
  ['an unknown option', ['--open', '--nonsense']],
])('[REL-8] %s is refused with the usage', async (_, args) => {
  await expect(startRelayProcess(ROOT, ['--data', folder, ...args])).rejects.toThrow('ended with 2');
});
