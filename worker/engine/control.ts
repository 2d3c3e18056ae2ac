/** What the page may ask of its worker as a whole: open, close, destroy. */
import { errorToWire, StoreError } from '../../src/base/store-error.ts';
import type {
  Answer,
  EngineControl,
  LeadingMessage,
  LifecycleMessage,
  SyncPortMessage,
} from '../../src/protocol/control.ts';
import type { EngineApi, EngineOptions } from '../../src/protocol/engine-api.ts';
import { toEngineOptions } from '../../src/protocol/engine-options.ts';
import type { StoreStatus } from '../../src/protocol/store-status.ts';
import { servePort } from './port-server.ts';

/** A store that is served on a page's port. */
export interface ServedStore {
  readonly status: StoreStatus;
  /** Whether the engine is here, of a store that tabs share. */
  readonly isLeader?: boolean;
  /** Stores what is not stored yet, and ends the port. Calls that wait for their commit still get their answers. */
  close(): Promise<void>;
  destroy(): Promise<void>;
  /** `listener` is told at once, and with each change: a number for each time of leading, 0 in between. */
  watchLeading?(listener: (term: number) => void): void;
  /** Serves a sync worker as long as this term lasts; closes the port when it does not, or no more. */
  serveSync?(port: MessagePort, term: number): void;
  /** The page is about to be stopped, or goes on. */
  suspend?(): void;
  resume?(): void;
}

/** One store for one page, opened with what the page's application has said. */
export function createControl(
  openStore: (options: EngineOptions, port: MessagePort) => Promise<ServedStore>,
  tell: (message: LeadingMessage) => void = () => undefined,
): EngineControl & { lifecycle(raw: unknown): void } {
  let store: ServedStore | undefined;
  const end = async (how: 'close' | 'destroy'): Promise<void> => {
    const ending = store;
    store = undefined;
    await ending?.[how]();
  };

  return {
    open: (raw, port) =>
      answered(async () => {
        const options = toEngineOptions(raw);
        if (port === undefined) {
          throw new StoreError('store/invalid-option', 'openStore: options hold a function or class instance.', {
            hint: 'Only worker and a Standard Schema may be functions.',
          });
        }
        store = await openStore(options, port);
        return store.status;
      }),
    close: () => answered(() => end('close')),
    destroy: () => answered(() => end('destroy')),
    /** Takes any message to the worker. */
    lifecycle(raw) {
      const { lifecycle, sync, ...handed } = (raw ?? {}) as Partial<LifecycleMessage & SyncPortMessage>;
      if (sync === 'watch') store?.watchLeading?.((leading) => tell({ leading }));
      if (sync === 'port') serveSync(store, handed as Extract<SyncPortMessage, { sync: 'port' }>);
      if (lifecycle === 'suspend') store?.suspend?.();
      else if (lifecycle === 'resume') store?.resume?.();
    },
  };
}

function serveSync(
  store: ServedStore | undefined,
  { port, term }: { readonly port: MessagePort; readonly term: number },
): void {
  if (store?.serveSync === undefined) port.close();
  else store.serveSync(port, term);
}

/** An engine of this page alone. */
export async function serveAlone(engine: EngineApi, options: EngineOptions, port: MessagePort): Promise<ServedStore> {
  const stop = servePort(engine, port);
  let stopSync: (() => void) | undefined;
  const end = (): void => {
    stopSync?.();
    stop();
  };
  return {
    status: toStatus(engine.home, options),
    watchLeading: (listener) => listener(1),
    serveSync(syncPort) {
      stopSync?.();
      stopSync = servePort(engine, syncPort, { isSync: true });
    },
    close: () => engine.close().finally(end),
    destroy: () => engine.destroy().finally(end),
  };
}

export function toStatus({ storage, durability }: EngineApi['home'], asked: EngineOptions): StoreStatus {
  const [home] = asked.storage;
  const reasons: string[] = [];
  if (storage !== home) reasons.push(`storage/unavailable: ${home} cannot be used.`);
  // Memory is none, but that is what was asked for.
  if (durability !== asked.durability && home !== 'memory')
    reasons.push(`storage/less-durable: writes are ${durability}.`);
  return { state: reasons.length > 0 ? 'degraded' : 'open', reasons, durability };
}

async function answered<T>(run: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await run() };
  } catch (error) {
    if (error instanceof StoreError) return { error: errorToWire(error) };
    throw error;
  }
}
