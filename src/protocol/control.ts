/**
 * The worker's control object, called through comlink: what happens once in the life of a store. Everything else goes
 * over the port (`messages.ts`), which is twice as fast.
 */
import { errorFromWire, type StoreErrorWire } from '../base/store-error.ts';
import type { StoreStatus } from './store-status.ts';

export interface EngineControl {
  /**
   * Opens the engine and serves it on the port, which the caller transfers. Once only. `options` are what the
   * application gave; all checks are here. Without a port they had to be altered to travel, and are refused whatever
   * they say.
   */
  open(options: unknown, port: MessagePort | undefined): Promise<StoreStatus>;
  /** Stores what is not stored yet and lets go of everything. */
  close(): Promise<void>;
  /** Closes, and deletes all that the store has kept. */
  destroy(): Promise<void>;
}

/** A message of its own to the worker: what happens to the page. */
export type LifecycleMessage = { readonly lifecycle: 'suspend' | 'resume' };

/** What comlink has of a handler, as far as it matters here. */
type Handler = {
  canHandle(value: unknown): boolean;
  serialize(value: never): [unknown, Transferable[]];
  deserialize(wire: never): unknown;
};
type Handlers = { get(name: string): Handler | undefined; set(name: string, handler: Handler): unknown };
type ErrorWire = { readonly storeError?: StoreErrorWire };

/** comlink's name of its handler for what was thrown. */
const THROW = 'throw';

/**
 * Lets errors cross comlink whole: its own handler keeps only name, message and stack. The table of handlers belongs
 * to the whole thread, so whatever is not ours goes the way it went before. This is the page's half; safe to repeat.
 */
export function receiveErrors(handlers: Handlers): void {
  const before = handlers.get(THROW) as Handler & { readonly isOurs?: true };
  if (before.isOurs) return;
  handlers.set(THROW, {
    ...before,
    isOurs: true,
    deserialize: (wire: ErrorWire) => {
      if (wire?.storeError !== undefined) throw errorFromWire(wire.storeError);
      return before.deserialize(wire as never);
    },
  } as Handler);
}

/** The worker's half. `toWire` answers undefined for what is not the store's. */
export function sendErrors(handlers: Handlers, toWire: (thrown: unknown) => StoreErrorWire | undefined): void {
  const before = handlers.get(THROW)!;
  handlers.set(THROW, {
    ...before,
    serialize: (thrown: { readonly value: unknown }) => {
      const storeError = toWire(thrown.value);
      return storeError === undefined ? before.serialize(thrown as never) : [{ storeError }, []];
    },
  } as Handler);
}
