/** Finds what makes a row impossible to store, and names it. Slow and exact; the encoder calls it when it must refuse. */
import { ROW_BYTES_MAX, ROW_DEPTH_MAX } from '../limits.ts';
import { StoreError } from '../store-error.ts';
import { isForbiddenKey, KIND_ARRAY, KIND_BINARY, KIND_OBJECT, KIND_STRING } from './format.ts';
import { isPlainObject, kindOf, tagOf } from './kind.ts';

/** What a walk knows about its place: the row's index, the containers above, the bytes still allowed. */
type Walk = { readonly row: number | undefined; readonly above: unknown[]; bytesLeft: number };

/** Throws unless the row can be stored: `row/not-an-object` or one of the codes of `assertValue`. */
export function assertRow(row: unknown, index: number): void {
  if (typeof row !== 'object' || row === null || Array.isArray(row) || !isPlainObject(row)) {
    throw new StoreError('row/not-an-object', `Row ${index} is not a plain object.`, {
      details: { row: index, path: '', found: nameOf(row) },
      hint: 'Store plain objects; turn a class instance into one first.',
    });
  }
  walkValue(row, '', { row: index, above: [], bytesLeft: ROW_BYTES_MAX });
}

/**
 * Throws unless a field may hold the value. `path` is its dotted path, for the error: `row/unsupported-value`,
 * `row/forbidden-key` (S5), `row/too-deep` or `row/too-large`, with details `{ row, path, found }`.
 */
export function assertValue(value: unknown, path: string): void {
  walkValue(value, path, { row: undefined, above: [undefined], bytesLeft: ROW_BYTES_MAX });
}

function walkValue(value: unknown, path: string, walk: Walk): void {
  const kind = kindOf(value);
  if (kind < 0) {
    refuse('row/unsupported-value', walk, path, nameOf(value), `A document cannot hold a ${nameOf(value)}`);
  }
  walk.bytesLeft -= 2;
  if (kind === KIND_STRING) walk.bytesLeft -= (value as string).length;
  else if (kind === KIND_BINARY) walk.bytesLeft -= (value as ArrayBuffer).byteLength;
  if (walk.bytesLeft < 0)
    refuse('row/too-large', walk, path, 'bytes', `A document is larger than ${ROW_BYTES_MAX} bytes`);
  if (kind < KIND_ARRAY) return;

  const { above } = walk;
  if (above.includes(value)) refuse('row/unsupported-value', walk, path, 'cycle', 'A document cannot hold itself');
  if (above.length >= ROW_DEPTH_MAX) {
    refuse('row/too-deep', walk, path, 'depth', `A document is nested deeper than ${ROW_DEPTH_MAX}`);
  }
  above.push(value);
  const prefix = path === '' ? '' : `${path}.`;
  if (kind === KIND_OBJECT) {
    for (const name of Object.keys(value as object)) {
      if (isForbiddenKey(name)) {
        refuse('row/forbidden-key', walk, prefix + name, name, 'A document cannot have a key that names a prototype');
      }
      const field = (value as Record<string, unknown>)[name];
      if (field !== undefined) walkValue(field, prefix + name, walk);
    }
  } else {
    const elements = value as readonly unknown[];
    for (let index = 0; index < elements.length; index++) walkValue(elements[index], prefix + index, walk);
  }
  above.pop();
}

const HINTS: Readonly<Record<string, string>> = {
  function: 'Leave methods out, or store what they compute.',
  bigint: 'Store a string, or a number when it is a safe integer.',
  Map: 'Store Object.fromEntries(map) or an array of entries.',
  Set: 'Store an array.',
  cycle: 'Store the key of the other document instead.',
};

function refuse(
  code: 'row/unsupported-value' | 'row/forbidden-key' | 'row/too-deep' | 'row/too-large',
  { row }: Walk,
  path: string,
  found: string,
  text: string,
): never {
  const hint =
    code === 'row/unsupported-value'
      ? (HINTS[found] ?? 'Documents hold null, booleans, numbers, strings, dates, binary, arrays and plain objects.')
      : undefined;
  throw new StoreError(code, `${text} (at '${path}'${row === undefined ? '' : ` of row ${row}`}).`, {
    details: { ...(row === undefined ? {} : { row }), path, found },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** What an error calls a value: its type, or the name of its class. */
function nameOf(value: unknown): string {
  if (typeof value !== 'object') return typeof value;
  const tag = tagOf(value);
  if (tag !== 'Object' || value === null) return tag.toLowerCase() === 'null' ? 'null' : tag;
  const name: unknown = (Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null)?.constructor
    ?.name;
  return typeof name === 'string' && name !== '' ? name : 'class instance';
}
