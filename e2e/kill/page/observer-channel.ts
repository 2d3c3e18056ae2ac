/** Where the watcher inside the worker tells the page what it sees. */
export const OBSERVER_CHANNEL = 'kill-observer';
