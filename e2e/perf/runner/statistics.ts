export type Statistics = {
  readonly count: number;
  readonly median: number;
  readonly p95: number;
  readonly p99: number;
  readonly min: number;
  readonly max: number;
};

/** Percentiles by the nearest rank; the median of an even count is the mean of the middle two. */
export function statisticsOf(values: readonly number[]): Statistics {
  const sorted = Float64Array.from(values).sort();
  const count = sorted.length;
  if (count === 0) throw new Error('No samples.');
  const at = (rank: number): number => sorted[Math.min(count - 1, Math.max(0, rank))] as number;
  const percentile = (share: number): number => at(Math.ceil(share * count) - 1);
  const median = (at(Math.floor((count - 1) / 2)) + at(Math.ceil((count - 1) / 2))) / 2;
  return { count, median, p95: percentile(0.95), p99: percentile(0.99), min: at(0), max: at(count - 1) };
}
