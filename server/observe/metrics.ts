/** Figures of a running relay, as counters that only grow and gauges that are read when asked. */
const COUNTERS = {
  connections_total: 'Connections that were taken.',
  frames_received_total: 'Frames that came in.',
  bytes_received_total: 'Bytes of those frames.',
  frames_sent_total: 'Frames that went out.',
  bytes_sent_total: 'Bytes of those frames.',
  batches_stored_total: 'Batches that were stored.',
  batches_repeated_total: 'Batches that came again and were not stored.',
  refusals_total: 'Frames that were refused.',
  slow_readers_total: 'Connections that were cut off because they read too slowly.',
  rows_folded_total: 'States of rows that were written.',
  updates_quarantined_total: 'Updates that Yjs refused.',
} as const;

export type CounterName = keyof typeof COUNTERS;

export type Gauges = Readonly<Record<string, number>>;

export class Metrics {
  readonly #counts = new Map<CounterName, number>();

  add(name: CounterName, count: number): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  count(name: CounterName): number {
    return this.#counts.get(name) ?? 0;
  }

  /** In the text format of Prometheus. */
  text(gauges: Gauges): string {
    const counters = (Object.keys(COUNTERS) as CounterName[]).map(
      (name) =>
        `# HELP relay_${name} ${COUNTERS[name]}\n# TYPE relay_${name} counter\nrelay_${name} ${this.count(name)}\n`,
    );
    const read = Object.entries(gauges).map(([name, value]) => `# TYPE relay_${name} gauge\nrelay_${name} ${value}\n`);
    return [...counters, ...read].join('');
  }
}
