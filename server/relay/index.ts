/** Connections, stores and documents of a running relay. */
export { type RelayParts, RunningRelay } from './relay.ts';
