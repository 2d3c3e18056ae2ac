/**
 * A `Worker` that lives in this thread: the client on one side of real message ports, a control object on the other.
 * It can be made to answer nothing any more, and to fail.
 */
import { expose } from 'comlink';
import type { EngineControl } from '../../src/protocol/control.ts';
import type { EngineApi, EngineOptions } from '../../src/protocol/engine-api.ts';
import { createControl, serveAlone } from '../../worker/engine/control.ts';

export class ThreadWorker extends EventTarget {
  isTerminated = false;
  readonly #port: MessagePort;
  readonly #inside: MessagePort;

  constructor(control: EngineControl) {
    super();
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#inside = port2;
    expose(control, port2);
    port1.addEventListener('message', ({ data }) => this.dispatchEvent(new MessageEvent('message', { data })));
    port1.start();
  }

  postMessage(message: unknown, transferred: Transferable[] = []): void {
    this.#port.postMessage(message, transferred);
  }

  terminate(): void {
    this.isTerminated = true;
    this.#port.close();
    this.#inside.close();
  }

  /** As a browser tells of an exception that nobody caught in the worker. */
  fail(message: string): void {
    this.dispatchEvent(Object.assign(new Event('error'), { message }));
  }
}

/** A worker around an engine of this thread. */
export function createThreadWorker(openEngine: (options: EngineOptions) => Promise<EngineApi>): ThreadWorker {
  return new ThreadWorker(createControl(async (options, port) => serveAlone(await openEngine(options), options, port)));
}
