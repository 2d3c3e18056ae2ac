/** The server of a system that is replicated, behind a proxy that counts what devices send and get. */
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRelayProcess } from '../../relay/relay-process.ts';
import type { SystemName } from '../page/system-description.ts';

export type SyncServer = {
  readonly url: string;
  /** Of TCP, in both directions, until now. */
  bytes(): number;
  close(): Promise<void>;
};

type Server = { readonly url: string; close(): Promise<unknown> };

export async function startSyncServer(root: string, system: SystemName): Promise<SyncServer> {
  const server = system === 'rxdb' ? await startRxServer() : await startRelay(root);
  const proxy = await startProxy(Number(new URL(server.url).port));
  return {
    url: `ws://127.0.0.1:${proxy.port}`,
    bytes: proxy.bytes,
    async close() {
      await proxy.close();
      await server.close();
    },
  };
}

/** The relay as it is shipped: a process of its own, which acknowledges what is on disk. */
async function startRelay(root: string): Promise<Server> {
  const data = await mkdtemp(join(tmpdir(), 'collection-store-perf-relay-'));
  const relay = await startRelayProcess(root, ['--data', data, '--origin', '*'], { COLLECTION_STORE_SECRET: 'perf' });
  return {
    url: relay.url,
    async close() {
      await relay.end('SIGTERM');
      await rm(data, { recursive: true, force: true });
    },
  };
}

/** RxDB's own server for its WebSocket replication, with its storage in memory: nothing is on disk there. */
async function startRxServer(): Promise<Server> {
  const [{ createRxDatabase }, { getRxStorageMemory }, { startWebsocketServer }, { schemaWith }] = await Promise.all([
    import('rxdb/plugins/core'),
    import('rxdb/plugins/storage-memory'),
    import('rxdb/plugins/replication-websocket'),
    import('../page/systems/rxdb.ts'),
  ]);
  const database = await createRxDatabase({ name: `perf-${Date.now()}`, storage: getRxStorageMemory() });
  await database.addCollections({ tasks: { schema: schemaWith('none') } } as never);
  const { server } = startWebsocketServer({ database, port: 0, host: '127.0.0.1', path: '/' });
  await new Promise<void>((resolve) => server.once('listening', () => resolve()));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => database.close(),
  };
}

async function startProxy(to: number): Promise<{ readonly port: number; bytes(): number; close(): Promise<unknown> }> {
  let bytes = 0;
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const server = connect(to, '127.0.0.1');
    for (const [from, into] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (part) => {
        bytes += part.length;
      });
      from.pipe(into);
      from.on('error', () => into.destroy());
      from.on('close', () => {
        sockets.delete(from);
        into.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', () => resolve()));
  return {
    port: (proxy.address() as AddressInfo).port,
    bytes: () => bytes,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        proxy.close(resolve);
      }),
  };
}
