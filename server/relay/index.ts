/** Connections, stores and documents of a running relay. */
export { DEFAULT_LIMITS, type RelayLimits } from './limits.ts';
export { type RelayParts, RunningRelay } from './relay.ts';
