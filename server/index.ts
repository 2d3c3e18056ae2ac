/** `collection-store/relay`: the relay inside a Node server of the application's own. */
export { createRelay } from './create-relay.ts';
export type { RelayLimits } from './limits/index.ts';
export { type EventLevel, LEVELS, type RelayEvent } from './observe/index.ts';
export type { Relay, RelayHealth, RelayOptions } from './relay-options.ts';
