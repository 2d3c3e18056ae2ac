/** What the page may ask of its worker as a whole: open, close, destroy. */
import { errorToWire, StoreError, type StoreErrorWire } from '../../src/base/store-error.ts';
import type { EngineControl } from '../../src/protocol/control.ts';
import type { EngineApi, EngineOptions, Health } from '../../src/protocol/engine-api.ts';
import { toEngineOptions } from '../../src/protocol/engine-options.ts';
import type { StoreStatus } from '../../src/protocol/store-status.ts';
import { servePort } from './port-server.ts';

/** One engine for one page, opened with what the page's application has said. */
export function createControl(openEngine: (options: EngineOptions) => Promise<EngineApi>): EngineControl {
  let engine: EngineApi | undefined;
  let stopServing: (() => void) | undefined;

  /** The port lives until the engine has ended: calls that wait for their commit still get their answers. */
  const end = async (how: 'close' | 'destroy'): Promise<void> => {
    try {
      await engine?.[how]();
    } finally {
      stopServing?.();
      engine = undefined;
      stopServing = undefined;
    }
  };

  return {
    async open(raw, port) {
      const options = toEngineOptions(raw);
      if (port === undefined) {
        throw new StoreError('store/invalid-option', 'openStore: options hold a function or class instance.', {
          hint: 'Only worker and a Standard Schema may be functions.',
        });
      }
      engine = await openEngine(options);
      stopServing = servePort(engine, port);
      return toStatus(await engine.health(), options);
    },
    close: () => end('close'),
    destroy: () => end('destroy'),
  };
}

function toStatus({ storage, durability }: Health, asked: EngineOptions): StoreStatus {
  const [home] = asked.storage;
  const reasons: string[] = [];
  if (storage !== home) reasons.push(`storage/unavailable: ${home} cannot be used.`);
  // Memory is none, but that is what was asked for.
  if (durability !== asked.durability && home !== 'memory')
    reasons.push(`storage/less-durable: writes are ${durability}.`);
  return { state: reasons.length > 0 ? 'degraded' : 'open', reasons, durability };
}

/** What comlink sends of an error that control threw; undefined when it is not the store's. */
export const storeErrorToWire = (thrown: unknown): StoreErrorWire | undefined =>
  thrown instanceof StoreError ? errorToWire(thrown) : undefined;
