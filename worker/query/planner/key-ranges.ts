/** From encoded values to ranges of keys: of an index, whose keys are components, and of the primary tree. */
import { COMPONENT_END, encodeComponent, encodePrimaryKey } from '../../indexes/index.ts';
import type { KeyRange } from '../../pages/index.ts';
import { tagOf } from '../selector/index.ts';
import type { ValueSet } from './conditions.ts';

/** Most ranges of one plan. */
export const RANGES_MAX = 10_000;

/** The character after COMPONENT_END: above every key that continues a component, below every longer component. */
const AFTER_END = String.fromCharCode(COMPONENT_END.charCodeAt(0) + 1);
/** Ends a bound that lies just above a value. */
const JUST_ABOVE = '\u0000';
const STRING_TAG = tagOf(encodeComponent(''));
const NUMBER_TAG = tagOf(encodeComponent(0));

/** Index keys that begin with the prefix: whole components, or nothing. */
export function prefixRange(prefix: string): KeyRange {
  return prefix === ''
    ? { from: undefined, to: undefined }
    : { from: prefix, to: prefix.slice(0, -COMPONENT_END.length) + AFTER_END };
}

/** Index keys whose component after the prefix is in the interval. */
export function intervalRange(
  prefix: string,
  { low, high }: { readonly low: string; readonly high: string },
): KeyRange {
  return { from: prefix + edge(low), to: prefix + edge(high) };
}

/** A bound just above a value, as a bound above all entries of it. */
const edge = (bound: string): string => (bound.endsWith(JUST_ABOVE) ? bound.slice(0, -1) + AFTER_END : bound);

/** Primary keys that are such values. What an interval lets through of another type, the selector has to refuse. */
export function primaryRanges(values: ValueSet): readonly KeyRange[] {
  if (values.type === 'interval') {
    const from = values.low.length > 1 ? primaryFromComponent(values.low) : undefined;
    const to = values.high.length > 1 ? primaryFromComponent(values.high) : undefined;
    return from !== undefined && to !== undefined && from >= to ? [] : [{ from, to }];
  }
  return values.points
    .map(primaryFromComponent)
    .filter((key) => key !== undefined)
    .sort()
    .map((key) => ({ from: key, to: key + JUST_ABOVE }));
}

/** A number component is '2' and digits, a string component '3' and content; primary keys have '\b' or nothing instead. */
function primaryFromComponent(component: string): string | undefined {
  if (component.endsWith(JUST_ABOVE)) {
    const below = primaryFromComponent(component.slice(0, -1));
    return below === undefined ? undefined : below + JUST_ABOVE;
  }
  // The empty key has a character of its own, to come after numbers.
  if (tagOf(component) === STRING_TAG) return component.slice(1) || encodePrimaryKey('');
  return tagOf(component) === NUMBER_TAG ? COMPONENT_END + component.slice(1) : undefined;
}

/** The parts of ascending ranges that lie behind a key, in the direction of a walk. */
export function rangesBehind(
  ranges: readonly KeyRange[],
  key: string,
  { reverse }: { reverse: boolean },
): readonly KeyRange[] {
  const from = key + JUST_ABOVE;
  return ranges.flatMap((range): readonly KeyRange[] => {
    if (reverse) {
      if (range.from !== undefined && range.from >= key) return [];
      return [{ from: range.from, to: range.to === undefined || range.to > key ? key : range.to }];
    }
    if (range.to !== undefined && range.to <= from) return [];
    return [{ from: range.from === undefined || range.from < from ? from : range.from, to: range.to }];
  });
}

/** Ranges that touch or overlap become one. Answers them ascending. */
export function mergedRanges(ranges: readonly KeyRange[]): readonly KeyRange[] {
  const ascending = [...ranges].sort((a, b) => ((a.from ?? '') < (b.from ?? '') ? -1 : 1));
  const merged: { from: string | undefined; to: string | undefined }[] = [];
  for (const { from, to } of ascending) {
    const last = merged.at(-1);
    if (last === undefined || (last.to !== undefined && (from ?? '') > last.to)) merged.push({ from, to });
    else if (last.to !== undefined && (to === undefined || to > last.to)) last.to = to;
  }
  return merged;
}
