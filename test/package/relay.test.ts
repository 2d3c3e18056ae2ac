/** Goal: the relay works from the package as installed. Method: unpack the tarball, embed it, start its command, compile. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Installation, installPackage, ROOT } from './installation.ts';

const run = promisify(execFile);

let installation: Installation;
beforeAll(async () => {
  installation = await installPackage();
  await installation.link('classic-level', 'ws', 'yjs', 'lib0', 'y-protocols', '@types/node', 'undici-types');
  await writeFile(join(installation.folder, 'package.json'), '{ "type": "module" }');
});
afterAll(() => installation.remove());

test('a Node server embeds the relay, beside its own pages', async () => {
  await writeFile(join(installation.folder, 'embed.js'), EMBEDDED);
  const { stdout } = await run(process.execPath, ['embed.js'], { cwd: installation.folder });
  expect(JSON.parse(stdout)).toEqual({ page: 'own page', health: 'ok', closed: 4406 });
});

test('the command is there, and says what it takes', async () => {
  const manifest = JSON.parse(
    await readFile(join(installation.folder, 'node_modules/collection-store/package.json'), 'utf8'),
  ) as { readonly bin: Record<string, string> };
  const command = join(installation.folder, 'node_modules/collection-store', manifest.bin['collection-store']!);
  expect(await readFile(command, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  const { stdout } = await run(process.execPath, [command, 'relay', '--help'], { cwd: installation.folder });
  expect(stdout).toContain('--data DIR');
});

test.each([
  ['esnext', 'bundler'],
  ['nodenext', 'nodenext'],
])('a strict compiler takes its declarations (%s, %s)', async (module, moduleResolution) => {
  const text = `import { createServer } from 'node:http';
    import { createRelay, type Relay, type RelayEvent } from 'collection-store/relay';
    const relay: Relay = await createRelay({ data: 'data', onEvent: (event: RelayEvent) => console.log(event.event) });
    relay.attach(createServer());
    // @ts-expect-error It must be said where the log is.
    await createRelay({});
    // @ts-expect-error There is no such limit.
    await createRelay({ data: 'data', limits: { frames: 1 } });`;
  await writeFile(join(installation.folder, 'use-relay.ts'), text);
  const compilerOptions = {
    ...{ noEmit: true, strict: true, exactOptionalPropertyTypes: true, target: 'es2022', lib: ['es2023'] },
    ...{ types: ['node'], module, moduleResolution },
  };
  await writeFile(
    join(installation.folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['use-relay.ts'] }),
  );
  const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', installation.folder];
  const { stdout } = await run(process.execPath, tsc).catch((error: { stdout: string }) => error);
  // The declarations of Node are their own affair.
  expect(stdout.split('\n').filter((line) => /^(use-relay|node_modules\/collection-store)/.test(line))).toEqual([]);
});

const EMBEDDED = `
import { createServer } from 'node:http';
import { createRelay } from 'collection-store/relay';
import { WebSocket } from 'ws';
const relay = await createRelay({ data: 'memory:', path: '/relay' });
const server = createServer((request, response) => {
  if (!request.url.startsWith('/relay')) response.end('own page');
});
relay.attach(server);
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const host = '127.0.0.1:' + server.address().port;
const page = await (await fetch('http://' + host + '/')).text();
const health = (await (await fetch('http://' + host + '/relay/health')).json()).status;
const socket = new WebSocket('ws://' + host + '/relay/sync/app');
// A hello of a version that nobody has yet.
socket.on('open', () => socket.send(Uint8Array.of(100, 99, 99)));
const closed = await new Promise((resolve) => socket.on('close', resolve));
await relay.close();
server.close();
console.log(JSON.stringify({ page, health, closed }));
`;
