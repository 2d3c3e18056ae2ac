/** Finds what makes a row impossible to store, and names it. Slow and exact; the encoder calls it when it must refuse. */
import { ROW_BYTES_MAX, ROW_DEPTH_MAX } from '../limits.ts';
import { StoreError } from '../store-error.ts';
import { isForbiddenKey, KIND_ARRAY, KIND_BINARY, KIND_OBJECT, KIND_STRING } from './format.ts';
import { kindOf } from './kind.ts';

/** Throws unless the row can be stored: `row/not-an-object` or one of the codes of `assertValue`. */
export function assertRow(row: unknown, index: number): void {
  check(row, '', index);
}

/**
 * Throws unless a field may hold the value. `path` is its dotted path, for the error: `row/unsupported-value`,
 * `row/forbidden-key` (S5), `row/too-deep` or `row/too-large`, with details `{ row, path, found }`.
 */
export function assertValue(value: unknown, path: string): void {
  check(value, path, undefined);
}

function check(root: unknown, rootPath: string, row: number | undefined): void {
  /** The containers around a value. A value of a field has its row around it. */
  const above: unknown[] = row === undefined ? [undefined] : [];
  let bytesLeft = ROW_BYTES_MAX;

  const refuse = (reason: string, path: string, found: string): never => {
    throw new StoreError(`row/${reason}`, `Row ${row ?? ''} at '${path}': ${reason.replaceAll('-', ' ')} (${found}).`, {
      details: { row, path, found },
      hint: 'Rows are plain objects of JSON values, dates and binary.',
    });
  };

  const walk = (value: unknown, path: string): void => {
    const kind = kindOf(value);
    if (above.length === 0 && kind !== KIND_OBJECT) refuse('not-an-object', path, nameOf(value));
    if (kind < 0) refuse('unsupported-value', path, nameOf(value));
    // Eight for each value, so that the walk itself ends soon when rows share parts without end.
    bytesLeft -=
      8 +
      (kind === KIND_STRING ? (value as string).length : kind === KIND_BINARY ? (value as ArrayBuffer).byteLength : 0);
    if (bytesLeft < 0) refuse('too-large', path, `over ${ROW_BYTES_MAX} bytes`);
    if (kind < KIND_ARRAY) return;
    if (above.includes(value)) refuse('unsupported-value', path, 'cycle');
    if (above.push(value) > ROW_DEPTH_MAX) refuse('too-deep', path, `over ${ROW_DEPTH_MAX} levels`);
    const fields = value as Readonly<Record<string, unknown>>;
    // Of an array these are its indexes: holes have nothing to check.
    for (const name of Object.keys(fields)) {
      const inner = path === '' ? name : `${path}.${name}`;
      if (isForbiddenKey(name)) refuse('forbidden-key', inner, name);
      walk(fields[name], inner);
    }
    above.pop();
  };

  walk(root, rootPath);
}

/** What an error calls a value: its type, or the name of its class. */
function nameOf(value: unknown): string {
  return typeof value === 'object' && value !== null
    ? String(value.constructor?.name)
    : value === null
      ? 'null'
      : typeof value;
}
