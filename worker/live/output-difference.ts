/**
 * The step between two answers, of a pipeline or of two engines. Their order is whatever it is, so rows are paired by
 * a field, of pipelines `_id`, where they have one of their own, and by their places otherwise.
 */
import { identical } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import { ADD, CHANGE, DROP, KEEP, type RowsUpdate } from '../../src/protocol/live.ts';
import { canonicalText } from './canonical.ts';
import { ScriptWriter } from './script-writer.ts';

/** Undefined when nothing differs that a reader could see. */
export function outputDifference(
  from: readonly Row[],
  to: readonly Row[],
  key: string = '_id',
): RowsUpdate | undefined {
  const oldNames = namesOf(from, key);
  const names = namesOf(to, key);
  const places = new Map(names.map((name, place) => [name, place]));
  const script = new ScriptWriter();
  const rows: Row[] = [];
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    const step = stepAt(i, j);
    if (step !== ADD) i += 1;
    if (step !== DROP) j += 1;
    if (step === ADD || step === CHANGE) rows.push(to[j - 1]!);
    script.note(step);
  }
  const steps = script.finish();
  return steps.length === 0 ? undefined : { script: steps, rows };

  function stepAt(old: number, now: number): number {
    if (old === from.length) return ADD;
    if (now === to.length) return DROP;
    if (oldNames[old] === names[now]) return identical(from[old], to[now]) ? KEEP : CHANGE;
    // Rows that come out as they were keep their order among each other, so whatever stands before one has come or moved.
    const place = places.get(oldNames[old]!) ?? -1;
    return place >= now && identical(from[old], to[place]) ? ADD : DROP;
  }
}

/** One name for each row, different ones for different rows. */
function namesOf(rows: readonly Row[], key: string): readonly string[] {
  const seen = new Set<string>();
  return rows.map((row, place) => {
    const id = row[key] === undefined ? undefined : canonicalText(row[key]);
    if (id === undefined || seen.has(id)) return `at ${place}`;
    seen.add(id);
    return id;
  });
}
