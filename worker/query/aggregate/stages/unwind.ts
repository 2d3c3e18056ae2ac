/** `$unwind`: one row for each element of an array. */
import type { Row } from '../../../../src/base/row.ts';
import { assertFields } from '../operators/index.ts';
import { wrongOperand } from '../pipeline-errors.ts';
import { setPath } from '../set-path.ts';
import { isMissing, isPlainObject } from '../values.ts';
import { parseFieldPath } from './field-spec.ts';
import { type CompileStage, NO_ROWS } from './stage.ts';

/** `'$path'` or `{ path, includeArrayIndex, preserveNullAndEmptyArrays }`. */
export const compileUnwind: CompileStage = (spec, path) => {
  const {
    path: field,
    includeArrayIndex,
    preserveNullAndEmptyArrays = false,
  } = typeof spec === 'string'
    ? { path: spec }
    : (assertFields(spec, path, ['path'], ['includeArrayIndex', 'preserveNullAndEmptyArrays']) as UnwindSpec);
  if (typeof field !== 'string' || !/^\$[^$]/.test(field)) throw wrongOperand(path, "takes a path like '$tags'");
  if (typeof preserveNullAndEmptyArrays !== 'boolean') {
    throw wrongOperand(`${path}.preserveNullAndEmptyArrays`, 'is not true or false');
  }
  const segments = parseFieldPath(field.slice(1), path);
  const place = includeArrayIndex === undefined ? undefined : parseFieldPath(includeArrayIndex, path);

  const withIndex = (row: Row, index: number | null): Row => (place === undefined ? row : setPath(row, place, index));
  const push = (rows: readonly Row[]): readonly Row[] => {
    const result: Row[] = [];
    for (const row of rows) {
      const value = valueAt(row, segments);
      if (Array.isArray(value) && value.length > 0) {
        for (let i = 0; i < value.length; i++) result.push(withIndex(setPath(row, segments, value[i]), i));
      } else if (Array.isArray(value)) {
        if (preserveNullAndEmptyArrays) result.push(withIndex(setPath(row, segments, undefined), null));
      } else if (preserveNullAndEmptyArrays || !isMissing(value)) result.push(withIndex(row, null));
    }
    return result;
  };
  return { name: '$unwind', order: 'passes', open: () => ({ push, finish: () => NO_ROWS, isDone: false }) };
};

type UnwindSpec = {
  readonly path?: unknown;
  readonly includeArrayIndex?: unknown;
  readonly preserveNullAndEmptyArrays?: unknown;
};

/** Through objects only: an array on the way has no such field. */
function valueAt(row: Row, segments: readonly string[]): unknown {
  let value: unknown = row;
  for (const segment of segments) {
    if (!isPlainObject(value) || !Object.hasOwn(value, segment)) return undefined;
    value = value[segment];
  }
  return value;
}
