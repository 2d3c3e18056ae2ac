/** The worker's entry: one engine for one page. The only file of the worker that knows comlink. */
import { expose, transferHandlers } from 'comlink';
import { browserLocks, createPlatform, storageFigures } from '../src/base/platform.ts';
import { sendErrors } from '../src/protocol/control.ts';
import { createControl, openEngine, storeErrorToWire } from './engine/index.ts';
import { browserIndexedDb, openOpfsTailFolder } from './storage/index.ts';

const { now, random, setTimer, yieldTask } = createPlatform();

sendErrors(transferHandlers, storeErrorToWire);
// Synchronously: the page's first message is waiting already.
expose(
  createControl((options) =>
    openEngine(options, {
      now,
      setTimer,
      yieldTask,
      indexedDB: browserIndexedDb(),
      locks: browserLocks(),
      tails: { openFolder: openOpfsTailFolder, createName: createTailName },
      estimate: storageFigures,
      streams: globalThis,
    }),
  ),
);

function createTailName(): string {
  const bytes = new Uint8Array(8);
  random(bytes);
  return `tail-${bytes.reduce((name, byte) => name + byte.toString(16).padStart(2, '0'), '')}`;
}
