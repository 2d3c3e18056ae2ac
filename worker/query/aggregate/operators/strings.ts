/** Strings. Positions and lengths count code points where the name ends in CP. */
import { TEXT_LENGTH_MAX } from '../limits.ts';
import { tooLarge, wrongOperand } from '../pipeline-errors.ts';
import { isMissing } from '../values.ts';
import {
  binary,
  binaryOrNull,
  mustInteger,
  mustText,
  named,
  type Operator,
  type Operators,
  unary,
  variadic,
} from './operator.ts';
import { toText } from './types.ts';

const MANY = Number.POSITIVE_INFINITY;

function concat(values: readonly unknown[], path: string): string | null {
  let text = '';
  for (const value of values) {
    if (isMissing(value)) return null;
    text += mustText(value, path);
  }
  return bounded(text, path);
}

/** Strings, numbers and dates; null is ''. */
const cased = (change: (text: string) => string): Operator =>
  unary((value, path) => (isMissing(value) ? '' : change(toText(value, path) as string)));

function split(text: unknown, separator: unknown, path: string): readonly string[] {
  const by = mustText(separator, path);
  if (by === '') throw wrongOperand(path, 'needs a separator that is not empty');
  return mustText(text, path).split(by);
}

function substring(values: readonly unknown[], path: string): string {
  const [value, from, count] = values;
  if (isMissing(value)) return '';
  const text = toText(value, path) as string;
  const start = mustInteger(from, path);
  const length = mustInteger(count, path);
  if (start < 0) throw wrongOperand(path, 'begins at 0 or later');
  const points = [...text];
  return points.slice(start, length < 0 ? undefined : start + length).join('');
}

/** White space as MongoDB lists it; `chars` are code points of their own. */
const WHITE_SPACE = '\0\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a';

const trimmed = (ends: { readonly left: boolean; readonly right: boolean }): Operator =>
  named(['input'], ['chars'], ({ input, chars }, path) => {
    if (isMissing(input) || chars === null) return null;
    const points = [...mustText(input, path)];
    const away = new Set(chars === undefined ? WHITE_SPACE : mustText(chars, path));
    let from = 0;
    let to = points.length;
    while (ends.left && from < to && away.has(points[from]!)) from++;
    while (ends.right && to > from && away.has(points[to - 1]!)) to--;
    return points.slice(from, to).join('');
  });

function indexOf(values: readonly unknown[], path: string): number | null {
  const [text, part, from = 0, to] = values;
  if (isMissing(text)) return null;
  const points = [...mustText(text, path)];
  const start = mustInteger(from, path);
  const end = to === undefined ? points.length : mustInteger(to, path);
  if (start < 0 || end < 0) throw wrongOperand(path, 'searches from 0 or later');
  if (start > points.length || end < start) return -1;
  const within = points.slice(start, end).join('');
  const at = within.indexOf(mustText(part, path));
  return at < 0 ? -1 : start + [...within.slice(0, at)].length;
}

const replaced = (replace: (text: string, find: string, by: string) => string): Operator =>
  named(['input', 'find', 'replacement'], [], ({ input, find, replacement }, path) => {
    if (isMissing(input) || isMissing(find) || isMissing(replacement)) return null;
    return bounded(replace(mustText(input, path), mustText(find, path), mustText(replacement, path)), path);
  });

function bounded(text: string, path: string): string {
  if (text.length > TEXT_LENGTH_MAX) throw tooLarge(path, 'characters in one string', TEXT_LENGTH_MAX);
  return text;
}

function compareFolded(a: unknown, b: unknown, path: string): number {
  const [left, right] = [a, b].map((value) => (isMissing(value) ? '' : mustText(value, path).toUpperCase()));
  return left! < right! ? -1 : left === right ? 0 : 1;
}

export const STRINGS: Operators = {
  $concat: variadic(0, MANY, concat),
  $indexOfCP: variadic(2, 4, indexOf),
  $ltrim: trimmed({ left: true, right: false }),
  // A function as replacement, since a string would have its $ signs read.
  $replaceAll: replaced((text, find, by) => text.replaceAll(find, () => by)),
  $replaceOne: replaced((text, find, by) => text.replace(find, () => by)),
  $rtrim: trimmed({ left: false, right: true }),
  $split: binaryOrNull(split),
  $strLenCP: unary((value, path) => [...mustText(value, path)].length),
  $strcasecmp: binary(compareFolded),
  $substrCP: variadic(3, 3, substring),
  $toLower: cased((text) => text.toLowerCase()),
  $toUpper: cased((text) => text.toUpperCase()),
  $trim: trimmed({ left: true, right: true }),
};
