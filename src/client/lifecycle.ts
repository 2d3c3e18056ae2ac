/**
 * Tells a store's worker when the browser stops its page, or takes it into the back/forward cache, and when the page goes
 * on (T7): a tab that leads gives the store to another one meanwhile. Loaded by itself, after the worker has started.
 */
import type { LifecycleMessage } from '../protocol/control.ts';

export function watch(worker: Worker): void {
  // In Node there is no page.
  if (typeof addEventListener !== 'function') return;
  const tell = (event: Event): void => {
    // Not kept by the browser: it ends, and its locks with it.
    if ((event as PageTransitionEvent).persisted === false) return;
    const isStopping = event.type === 'freeze' || event.type === 'pagehide';
    const message: LifecycleMessage = { lifecycle: isStopping ? 'suspend' : 'resume' };
    worker.postMessage(message);
  };
  for (const type of TYPES) addEventListener(type, tell, true);
  // Nobody else says that the worker has ended.
  const { terminate } = worker;
  worker.terminate = () => {
    for (const type of TYPES) removeEventListener(type, tell, true);
    terminate.call(worker);
  };
}

/** The first two are events of the document: listeners that capture hear of them here. */
const TYPES = ['freeze', 'resume', 'pagehide', 'pageshow'];
