/** Synchronisation of a store with a relay, in a worker of its own: SPEC.md. */
export type { SyncPlatform } from './platform.ts';
export { type NewsChannel, SyncWorker } from './sync-worker.ts';
export { createSocketOpener } from './web-socket.ts';
