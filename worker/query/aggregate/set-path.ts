/** Writing into copies of rows: rows are shared and never change. */
import type { Row } from '../../../src/base/row.ts';
import { isPlainObject } from './values.ts';

/** A copy of the row with another value at a path, which goes through objects. `undefined` takes the field away. */
export function setPath(row: Row, segments: readonly string[], value: unknown, from = 0): Row {
  const copy: Record<string, unknown> = { ...row };
  const name = segments[from]!;
  if (from < segments.length - 1) {
    const inner = copy[name];
    copy[name] = setPath(isPlainObject(inner) ? inner : {}, segments, value, from + 1);
  } else if (value === undefined) delete copy[name];
  else copy[name] = value;
  return copy;
}
