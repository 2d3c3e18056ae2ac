/** Tells the page when a checkpoint's transaction begins and ends, so that kills can be aimed at it. Changes nothing. */
import { OBSERVER_CHANNEL } from './observer-channel.ts';

const prototype = IDBDatabase.prototype;
const begin = prototype.transaction;
const channel = new BroadcastChannel(OBSERVER_CHANNEL);

prototype.transaction = function (this: IDBDatabase, stores, mode, options) {
  const transaction = begin.call(this, stores, mode, options);
  if (mode === 'readwrite' && [...(stores as Iterable<string>)].includes('pages')) {
    channel.postMessage('checkpoint-begin');
    const end = (): void => channel.postMessage('checkpoint-end');
    transaction.addEventListener('complete', end);
    transaction.addEventListener('abort', end);
  }
  return transaction;
};
