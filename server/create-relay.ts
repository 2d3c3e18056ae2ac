/** A relay for any Node server. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createPlatform } from '../src/base/platform.ts';
import { StoreError } from '../src/base/store-error.ts';
import { sharedSecret } from './auth/index.ts';
import { isOriginAllowed } from './http/index.ts';
import { DEFAULT_LIMITS } from './limits/index.ts';
import { openLevelLog, openMemoryLog } from './log/index.ts';
import { RunningRelay } from './relay/index.ts';
import type { Relay, RelayHealth, RelayOptions } from './relay-options.ts';

const OPTIONS = ['data', 'secret', 'origins', 'path', 'limits', 'onEvent'];
const KINDS = /^\/(sync|doc|room)\//;
const IN_MEMORY = 'memory:';

/**
 * Opens the log and answers a relay, which does nothing before it is attached to a server. Rejects with `relay/bad-option`
 * for an option that is not one, and `log/unavailable` when another relay holds the folder.
 */
export async function createRelay(options: RelayOptions): Promise<Relay> {
  const { data, secret, origins = [], path = '', onEvent = () => {} } = checked(options);
  const platform = createPlatform();
  const log = data === IN_MEMORY ? await openMemoryLog(platform) : await openLevelLog(data, platform);
  const running = new RunningRelay({
    log,
    platform,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    observe: onEvent,
    authorise: sharedSecret(secret),
    isOriginAllowed: (origin, host) => isOriginAllowed(origins, origin, host),
  });
  return relayOf(running, path);
}

function relayOf(running: RunningRelay, path: string): Relay {
  /** The URL below the relay's path; undefined when it is somebody else's. */
  const below = (url: string | undefined): string | undefined =>
    url?.startsWith(path) ? url.slice(path.length) : undefined;
  const relay: Relay = {
    attach(server) {
      server.on('upgrade', (request, socket, head) => {
        if (KINDS.test(below(request.url) ?? '')) relay.handleUpgrade(request, socket, head);
      });
      if (path !== '') server.on('request', (request, response) => relay.handleRequest(request, response));
    },
    handleUpgrade(request, socket, head) {
      // What is not below the path becomes one that the relay does not know.
      request.url = below(request.url) ?? '/';
      running.handleUpgrade(request, socket, head);
    },
    handleRequest(request, response) {
      const [name] = (below(request.url) ?? '').split('?');
      if (name !== '/health' && name !== '/metrics') return false;
      void answer(relay, name, request, response);
      return true;
    },
    async health() {
      const gauges = await running.gauges();
      return {
        status: running.isHealthy ? 'ok' : 'failed',
        connections: gauges['connections']!,
        stores: gauges['stores_open']!,
        documents: gauges['documents_open']!,
        unfoldedBatches: gauges['batches_unfolded']!,
      };
    },
    metrics: async () => running.metrics.text(await running.gauges()),
    close: () => running.close(),
  };
  return relay;
}

async function answer(
  relay: Relay,
  name: '/health' | '/metrics',
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET' }).end();
    return;
  }
  if (name === '/metrics') {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(await relay.metrics());
    return;
  }
  const health: RelayHealth = await relay.health();
  response.writeHead(health.status === 'ok' ? 200 : 503, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(health)}\n`);
}

function checked(options: RelayOptions): RelayOptions {
  for (const name of Object.keys(options)) if (!OPTIONS.includes(name)) throw badOption(name, 'is not an option.');
  const { data, secret, origins, path, limits } = options;
  if (typeof data !== 'string' || data === '') throw badOption('data', 'must name a folder.');
  if (secret !== undefined && (typeof secret !== 'string' || secret === '')) throw badOption('secret', 'is empty.');
  if (origins !== undefined && !Array.isArray(origins)) throw badOption('origins', 'must be a list.');
  if (path !== undefined && !/^(\/[^/?#]+)*$/.test(path)) throw badOption('path', 'must be a path such as /relay.');
  for (const [name, value] of Object.entries(limits ?? {})) {
    if (!Object.hasOwn(DEFAULT_LIMITS, name)) throw badOption(`limits.${name}`, 'is not a limit.');
    if (!Number.isSafeInteger(value) || (value as number) <= 0) throw badOption(`limits.${name}`, 'must be above 0.');
  }
  return options;
}

const badOption = (option: string, what: string): StoreError =>
  new StoreError('relay/bad-option', `${option} ${what}`, {
    details: { option },
    hint: `Options are ${OPTIONS.join(', ')}; limits are ${Object.keys(DEFAULT_LIMITS).join(', ')}.`,
  });
