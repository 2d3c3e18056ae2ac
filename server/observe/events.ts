/** What the relay tells its operator: one closed list of events, with facts that can be counted and searched. */
export type RelayEvent =
  | { readonly event: 'started'; readonly port: number; readonly host: string; readonly folder: string }
  | { readonly event: 'stopping'; readonly signal: string }
  | { readonly event: 'stopped' }
  | { readonly event: 'open-to-everybody'; readonly host: string }
  | { readonly event: 'connected'; readonly connection: number; readonly kind: string; readonly target: string }
  | { readonly event: 'disconnected'; readonly connection: number; readonly code: number; readonly reason: string }
  | { readonly event: 'rejected'; readonly code: number; readonly reason: string; readonly path: string }
  | { readonly event: 'refused'; readonly connection: number; readonly code: string; readonly reason: string }
  | { readonly event: 'update-quarantined'; readonly store: string; readonly row: string; readonly sequence: number }
  | { readonly event: 'fold-failed'; readonly store: string; readonly reason: string }
  | { readonly event: 'log-failed'; readonly reason: string };

export type EventLevel = 'error' | 'info' | 'debug';

export type Observe = (event: RelayEvent) => void;

/** Error: somebody must look. Info: the state of the relay changed. Debug: what single connections do. */
export const LEVELS: { readonly [E in RelayEvent['event']]: EventLevel } = {
  started: 'info',
  stopping: 'info',
  stopped: 'info',
  'open-to-everybody': 'error',
  connected: 'debug',
  disconnected: 'debug',
  rejected: 'info',
  refused: 'info',
  'update-quarantined': 'error',
  'fold-failed': 'error',
  'log-failed': 'error',
};
