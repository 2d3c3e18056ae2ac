/**
 * The worker's control object, called through comlink: what happens once in the life of a store. Everything else goes
 * over the port (`messages.ts`), which is twice as fast.
 */
import type { StoreErrorWire } from '../base/store-error.ts';
import type { StoreStatus } from './store-status.ts';

export interface EngineControl {
  /**
   * Opens the engine and serves it on the port, which the caller transfers. Once only. `options` are what the
   * application gave; all checks are here. Without a port they had to be altered to travel, and are refused whatever
   * they say.
   */
  open(options: unknown, port: MessagePort | undefined): Promise<Answer<StoreStatus>>;
  /** Stores what is not stored yet and lets go of everything. */
  close(): Promise<Answer<void>>;
  /** Closes, and deletes all that the store has kept. */
  destroy(): Promise<Answer<void>>;
}

/** Errors of the store are answers: of what is thrown, comlink keeps only name, message and stack. */
export type Answer<T> = { readonly value?: T; readonly error?: StoreErrorWire };

/** A message of its own to the worker: what happens to the page. */
export type LifecycleMessage = { readonly lifecycle: 'suspend' | 'resume' };

/**
 * Messages of their own about the sync worker, which lives while its tab leads. The page asks to be told of leading, and
 * hands over the engine's end of each sync worker's port with the term that it is for.
 */
export type SyncPortMessage =
  | { readonly sync: 'watch' }
  | { readonly sync: 'port'; readonly term: number; readonly port: MessagePort };

/** From the engine's worker, at once and with each change: a number of its own for each time of leading, 0 in between. */
export type LeadingMessage = { readonly leading: number };
