#!/usr/bin/env node
/** `npx collection-store relay`: a relay as a process of its own. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { type RelayConfig, readConfig, USAGE, UsageError } from './config.ts';
import { createRelay, LEVELS, type Relay, type RelayEvent } from './index.ts';

/** A stop that takes longer is given up, so that whoever restarts the process need not kill it. */
const STOP_MS_MAX = 10_000;

async function main(): Promise<void> {
  const config = readConfig(process.argv.slice(2), process.env);
  if (config === 'help') {
    process.stdout.write(USAGE);
    return;
  }
  const log = (event: RelayEvent): void => write(event, config.isVerbose);
  const { data, secret, origins, path } = config;
  const relay = await createRelay({ data, secret, origins, path, onEvent: log });
  const server = await listen(relay, config);
  const { port } = server.address() as AddressInfo;
  if (secret === undefined) log({ event: 'open-to-everybody', host: config.host });
  log({ event: 'started', port, host: config.host, folder: data });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void stop(relay, server, log, signal));
  }
}

async function listen(relay: Relay, { host, port }: RelayConfig): Promise<Server> {
  const server = createServer((request, response) => {
    if (!relay.handleRequest(request, response)) response.writeHead(404).end();
  });
  server.on('upgrade', (request, socket, head) => relay.handleUpgrade(request, socket, head));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return server;
}

async function stop(relay: Relay, server: Server, log: (event: RelayEvent) => void, signal: string): Promise<void> {
  log({ event: 'stopping', signal });
  setTimeout(() => process.exit(1), STOP_MS_MAX).unref();
  server.close();
  await relay.close();
  server.closeAllConnections();
  log({ event: 'stopped' });
}

function write(event: RelayEvent, isVerbose: boolean): void {
  const level = LEVELS[event.event];
  if (level === 'debug' && !isVerbose) return;
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, ...event })}\n`);
}

// Whoever read the events has gone away: that is no reason to stop serving, and nobody is left to be told.
process.stdout.on('error', () => undefined);

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  const hint = (error as { readonly hint?: unknown }).hint;
  if (typeof hint === 'string') process.stderr.write(`${hint}\n`);
  if (error instanceof UsageError) process.stderr.write(`\n${USAGE}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
