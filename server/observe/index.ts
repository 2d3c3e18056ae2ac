/** What can be seen of a running relay. */
export { type EventLevel, LEVELS, type Observe, type RelayEvent } from './events.ts';
export { type CounterName, type Gauges, Metrics } from './metrics.ts';
