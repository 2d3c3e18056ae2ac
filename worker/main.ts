/** The worker's entry: one engine for one page. The only file of the worker that knows comlink. */
import { expose } from 'comlink';
import { browserLocks, createPlatform, storageFigures } from '../src/base/platform.ts';
import type { EngineOptions } from '../src/protocol/engine-api.ts';
import {
  createControl,
  type EnginePlatform,
  openEngine,
  openSharedStore,
  type ServedStore,
  serveAlone,
} from './engine/index.ts';
import { browserIndexedDb, openOpfsTailFolder } from './storage/index.ts';
import { hasBroadcastChannel, openBroadcastChannel } from './tabs/index.ts';

const { now, random, setTimer, yieldTask } = createPlatform();

// Synchronously: the page's first message is waiting already.
const control = createControl(openStore, (message) => postMessage(message));
expose(control);
addEventListener('message', ({ data }) => control.lifecycle(data));

async function openStore(options: EngineOptions, port: MessagePort): Promise<ServedStore> {
  const locks = browserLocks();
  const tails = { openFolder: openOpfsTailFolder, createName: () => `tail-${createName()}` };
  const platform: EnginePlatform = {
    now,
    setTimer,
    yieldTask,
    indexedDB: browserIndexedDb(),
    locks,
    tails,
    estimate: storageFigures,
    streams: globalThis,
  };
  // What is in memory is its tab's alone.
  const isShared = locks !== undefined && hasBroadcastChannel() && options.storage[0] !== 'memory';
  if (!isShared) return serveAlone(await openEngine(options, platform), options, port);
  return openSharedStore({
    options,
    port,
    tab: createName(),
    locks,
    openChannel: openBroadcastChannel,
    setTimer,
    openEngine: ({ holding, isLeased }) => openEngine(options, { ...platform, tails: { ...tails, isLeased } }, holding),
    now,
  });
}

/** Random. */
function createName(): string {
  const bytes = new Uint8Array(8);
  random(bytes);
  return bytes.reduce((name, byte) => name + byte.toString(16).padStart(2, '0'), '');
}
