/**
 * Tells the page when a checkpoint's transaction begins and ends, so that kills can be aimed at it, and stands still
 * where it is told to. Changes nothing else.
 */
import { OBSERVER_CHANNEL, type Trap } from './observer-channel.ts';

/** Longer than a driver needs for a kill; then the worker goes on as if nothing had been. */
const TRAPPED_MS = 3_000;

const prototype = IDBDatabase.prototype;
const begin = prototype.transaction;
const channel = new BroadcastChannel(OBSERVER_CHANNEL);
let trap: Trap | undefined;

channel.onmessage = ({ data }: MessageEvent<Trap>) => {
  trap = data;
};

prototype.transaction = function (this: IDBDatabase, stores, mode, options) {
  const transaction = begin.call(this, stores, mode, options);
  if (mode !== 'readwrite') return transaction;
  const names = [...(stores as Iterable<string>)];
  const kind = names.includes('pages') ? 'checkpoint' : 'append';
  // Registered before the engine's own handler, and so called before it.
  transaction.addEventListener('complete', () => standStill(kind));
  if (kind === 'checkpoint') {
    channel.postMessage('checkpoint-begin');
    const end = (): void => channel.postMessage('checkpoint-end');
    transaction.addEventListener('complete', end);
    transaction.addEventListener('abort', end);
  }
  return transaction;
};

function standStill(kind: Trap['kind']): void {
  if (trap?.kind !== kind) return;
  trap = trap.count === 1 ? undefined : { kind, count: trap.count - 1 };
  if (trap !== undefined) return;
  channel.postMessage('trapped');
  const end = performance.now() + TRAPPED_MS;
  while (performance.now() < end);
}
