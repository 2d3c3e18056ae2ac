/** What the page may ask of its worker as a whole: open, close, destroy. */
import { errorToWire, StoreError, type StoreErrorWire } from '../../src/base/store-error.ts';
import type { EngineControl } from '../../src/protocol/control.ts';
import type { EngineApi, EngineOptions } from '../../src/protocol/engine-api.ts';
import { toEngineOptions } from '../../src/protocol/engine-options.ts';
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
      return engine.health();
    },
    close: () => end('close'),
    destroy: () => end('destroy'),
  };
}

/** What comlink sends of an error that control threw; undefined when it is not the store's. */
export const storeErrorToWire = (thrown: unknown): StoreErrorWire | undefined =>
  thrown instanceof StoreError ? errorToWire(thrown) : undefined;
