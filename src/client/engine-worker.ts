/** The worker of a store, and comlink, which controls it. The only file of the page's side that knows comlink. */
import { type Remote, transfer, wrap } from 'comlink';
import { errorFromWire } from '../base/store-error.ts';
import type { Answer, EngineControl } from '../protocol/control.ts';
import type { StoreStatus } from '../protocol/store-status.ts';

/** What a store needs of its worker. */
export type EngineWorker = {
  readonly thread: Worker;
  /** `options` as the application gave them, without its functions. */
  open(options: unknown, port: MessagePort): Promise<StoreStatus>;
  close(): Promise<void>;
  destroy(): Promise<void>;
};

/** Starts at once: the script loads while the caller goes on, and the first call waits in the worker's queue. */
export function startWorker(create: (() => Worker) | undefined, onLost: (cause: unknown) => void): EngineWorker {
  const worker = create === undefined ? createWorker() : create();
  worker.addEventListener('error', (event) => onLost(event.message || 'Its script cannot be read.'));
  worker.addEventListener('messageerror', () => onLost('A message cannot be read.'));
  const control: Remote<EngineControl> = wrap<EngineControl>(worker);
  // Without it the store works: a tab that is stopped while it leads is replaced, only later.
  import('./lifecycle.ts').then(
    ({ watch }) => watch(worker),
    () => {},
  );
  return {
    thread: worker,
    open: (options, port) =>
      answerOf(
        control.open(options, transfer(port, [port])).catch((error) => {
          if ((error as Error).name !== 'DataCloneError') throw error;
          // There is a function in it. The worker finds its name in what is left, and refuses it.
          return control.open(JSON.parse(JSON.stringify(options, nameFunctions)), undefined);
        }),
      ),
    close: () => answerOf(control.close()),
    destroy: () => answerOf(control.destroy()),
  };
}

async function answerOf<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { value, error: refusal } = await answer;
  if (refusal) throw errorFromWire(refusal);
  return value as T;
}

/** For `JSON.stringify`. */
export const nameFunctions = (_key: string, value: unknown): unknown =>
  typeof value === 'function' ? { $function: value.name } : value;

/** The worker beside the built client (worker/start.ts). Bundlers look for exactly this expression, and take the file along. */
const createWorker = (): Worker => new Worker(new URL('./worker-start.js', import.meta.url), { type: 'module' });
