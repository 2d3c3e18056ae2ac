/**
 * Values as strings whose plain `<` is the order of the store, so that trees compare keys and know nothing of types.
 *
 * Order: missing = null < numbers < strings < objects < arrays < binary < booleans < dates, as MongoDB has it. NaN is
 * the lowest number, -0 equals 0. Strings compare by UTF-16 code units, not by language. Arrays compare element by
 * element, a shorter one first; objects field by field in their own order: type, name, value. Binary compares by
 * length, kind and bytes. An invalid date is the lowest date.
 *
 * How it keeps order: content has no character below '\t', because 0x00-0x09 become '\t' and a digit; a component ends
 * in '\b', which is below all content. What contains components (arrays, objects) is escaped once more as a whole.
 * Permanent: encoded keys are in pages on disk.
 */

import { binaryType } from '../../src/base/codec/index.ts';
import type { Key } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';

/** Ends each component of an index key. */
export const COMPONENT_END: string = '\b';

/** Longest primary key, in characters of its encoded form (control characters count twice). */
export const PRIMARY_KEY_LENGTH_MAX: number = 1024;

/** Longest whole key of an index, primary key included, in characters. */
export const INDEX_KEY_LENGTH_MAX: number = 2048;

const NULL = '1';
const NUMBER = '2';
const STRING = '3';
const OBJECT = '4';
const ARRAY = '5';
const BINARY = '6';
const BOOLEAN = '7';
const DATE = '8';

/** Sixty-four printable characters in ascending order: digits of a number, six bits each. */
const DIGITS = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';
const DIGIT_PAIRS: readonly string[] = Array.from(
  { length: 4096 },
  (_, pair) => DIGITS[pair >> 6]! + DIGITS[pair & 63]!,
);
const DIGIT_VALUES: readonly number[] = Array.from({ length: 128 }, (_, code) =>
  DIGITS.indexOf(String.fromCharCode(code)),
);
const LOWEST_DIGIT = 0x2d;

const double = new DataView(new ArrayBuffer(8));

/**
 * The key of a row in its primary tree. A string is itself, normally the very same object; numbers come before all
 * strings. Throws `collection/invalid-key` for anything else, for numbers that are not finite and for long strings.
 */
export function encodePrimaryKey(key: Key): string {
  if (typeof key === 'string') {
    const encoded = escapeText(key);
    if (encoded.length > PRIMARY_KEY_LENGTH_MAX) refuseKey(`is longer than ${PRIMARY_KEY_LENGTH_MAX} characters`, key);
    // Nothing is below '\b', so the empty string needs a character of its own to come after numbers.
    return encoded === '' ? '\t' : encoded;
  }
  if (typeof key !== 'number') refuseKey('is neither a string nor a number', key);
  if (!Number.isFinite(key)) refuseKey('is not finite', key);
  return COMPONENT_END + encodeNumber(key);
}

function refuseKey(rule: string, key: unknown): never {
  const found = typeof key === 'string' ? `${key.slice(0, 40)}...` : typeof key === 'number' ? key : typeof key;
  throw new StoreError('collection/invalid-key', `A primary key ${rule}.`, {
    details: { rule, found: String(found) },
    hint: 'Use a string of moderate length or a finite number.',
  });
}

/** The key that `encodePrimaryKey` was given; -0 comes back as 0. */
export function decodePrimaryKey(encoded: string): Key {
  if (encoded.startsWith(COMPONENT_END)) return decodeNumber(encoded);
  if (encoded === '\t') return '';
  return unescapeText(encoded);
}

/** Type and content of one value, without the end. Throws `index/unsupported-value` for what no row can hold. */
export function encodeComponent(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return STRING + escapeText(value);
    case 'number':
      return NUMBER + encodeNumber(value);
    case 'boolean':
      return value ? `${BOOLEAN}1` : `${BOOLEAN}0`;
    case 'undefined':
      return NULL;
    case 'object':
      return value === null ? NULL : encodeObject(value);
    default:
      throw new StoreError('index/unsupported-value', `A value of type ${typeof value} has no place in an index.`, {
        details: { found: typeof value },
      });
  }
}

/** The component of a string without control characters. */
export const encodePlainText = (text: string): string => STRING + text;

function encodeObject(value: object): string {
  if (value instanceof Date) return DATE + encodeNumber(value.getTime());
  if (Array.isArray(value)) {
    let elements = '';
    for (let i = 0; i < value.length; i++) elements += encodeComponent(value[i]) + COMPONENT_END;
    return ARRAY + escapeText(elements);
  }
  const type = binaryType(value);
  if (type >= 0) return BINARY + encodeBinary(value as ArrayBuffer | ArrayBufferView, type);
  let fields = '';
  for (const name of Object.keys(value)) {
    const field = (value as Record<string, unknown>)[name];
    if (field === undefined) continue;
    const component = encodeComponent(field);
    fields += component[0]! + escapeText(name) + COMPONENT_END + component.slice(1) + COMPONENT_END;
  }
  return OBJECT + escapeText(fields);
}

function encodeBinary(value: ArrayBuffer | ArrayBufferView, type: number): string {
  const bytes = ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
  let content = `${encodeNumber(bytes.length)} ${DIGITS[type]}`;
  for (const byte of bytes) content += DIGITS[byte >> 4]! + DIGITS[byte & 15]!;
  return content;
}

/**
 * The key of an entry: the components, each ended, and then the primary key, which makes it unique. Throws
 * `index/key-too-long`; `index` is the name for that error. Nothing is cut short, as cut keys would lose order.
 */
export function encodeIndexKey(components: readonly string[], primary: string, index?: string): string {
  let key = '';
  for (let i = 0; i < components.length; i++) key += components[i]! + COMPONENT_END;
  key += primary;
  if (key.length > INDEX_KEY_LENGTH_MAX) refuseIndexKey(index, key.length);
  return key;
}

function refuseIndexKey(index: string | undefined, found: number): never {
  throw new StoreError(
    'index/key-too-long',
    `A key of index '${index ?? ''}' is longer than ${INDEX_KEY_LENGTH_MAX} characters.`,
    {
      details: { ...(index === undefined ? {} : { index }), limit: INDEX_KEY_LENGTH_MAX, found },
      hint: 'Index a shorter field, or a digest of the long one.',
    },
  );
}

/** The primary key, still encoded, of an index key with that many components. */
export function primaryKeyOfIndexKey(indexKey: string, components: number): string {
  let at = 0;
  for (let left = components; left > 0; left--) at = indexKey.indexOf(COMPONENT_END, at) + 1;
  return indexKey.slice(at);
}

/** The smallest string above every string that starts with the prefix; `undefined` when there is none. */
export function upperBound(prefix: string): string | undefined {
  let end = prefix.length;
  while (end > 0 && prefix.charCodeAt(end - 1) === 0xffff) end--;
  if (end === 0) return undefined;
  return prefix.slice(0, end - 1) + String.fromCharCode(prefix.charCodeAt(end - 1) + 1);
}

/** The value as an index without regard to case sees it: strings folded, also in arrays. */
export function foldCase(value: unknown): unknown {
  // Both ways: what has one upper case must end as one lower case (sharp s, final sigma).
  if (typeof value === 'string') return value.toUpperCase().toLowerCase();
  return Array.isArray(value) ? value.map(foldCase) : value;
}

function escapeText(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) < 10) return escapeFrom(text, i);
  }
  return text;
}

function escapeFrom(text: string, first: number): string {
  let escaped = text.slice(0, first);
  for (let i = first; i < text.length; i++) {
    const code = text.charCodeAt(i);
    escaped += code < 10 ? `\t${code}` : text[i]!;
  }
  return escaped;
}

function unescapeText(escaped: string): string {
  if (!escaped.includes('\t')) return escaped;
  let text = '';
  for (let i = 0; i < escaped.length; i++) {
    text += escaped[i] === '\t' ? String.fromCharCode(escaped.charCodeAt(++i) - 0x30) : escaped[i]!;
  }
  return text;
}

/**
 * 2^63 plus or minus the bits of the magnitude: as an unsigned integer it grows with the number, 0 and -0 are one, and
 * integers of either sign end in zeros, which are not written. NaN is nothing at all.
 */
function encodeNumber(value: number): string {
  if (Number.isNaN(value)) return '';
  double.setFloat64(0, value < 0 ? -value : value);
  let high = double.getUint32(0);
  let low = double.getUint32(4);
  if (value < 0) {
    high = (0x80000000 - high - (low === 0 ? 0 : 1)) >>> 0;
    low = -low >>> 0;
  } else {
    // Also clears the sign of -0.
    high = (high | 0x80000000) >>> 0;
  }
  let digits = DIGIT_PAIRS[high >>> 20]! + DIGIT_PAIRS[(high >>> 8) & 4095]!;
  if (low !== 0 || (high & 255) !== 0) {
    digits += DIGIT_PAIRS[((high & 255) << 4) | (low >>> 28)]! + DIGIT_PAIRS[(low >>> 16) & 4095]!;
    if ((low & 0xffff) !== 0) digits += DIGIT_PAIRS[(low >>> 4) & 4095]! + DIGITS[(low & 15) << 2]!;
  }
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === LOWEST_DIGIT) end--;
  return end === digits.length ? digits : digits.slice(0, end);
}

/** Reads digits after a leading character. */
function decodeNumber(encoded: string): number {
  if (encoded.length === 1) return Number.NaN;
  const digit = (index: number): number => (index < encoded.length ? DIGIT_VALUES[encoded.charCodeAt(index)]! : 0);
  let high =
    (((digit(1) << 26) | (digit(2) << 20) | (digit(3) << 14) | (digit(4) << 8) | (digit(5) << 2)) >>> 0) +
    (digit(6) >> 4);
  let low =
    (((digit(6) & 15) << 28) |
      (digit(7) << 22) |
      (digit(8) << 16) |
      (digit(9) << 10) |
      (digit(10) << 4) |
      (digit(11) >> 2)) >>>
    0;
  const negative = high < 0x80000000;
  if (negative) {
    high = (0x80000000 - high - (low === 0 ? 0 : 1)) >>> 0;
    low = -low >>> 0;
  } else {
    high -= 0x80000000;
  }
  double.setUint32(0, high);
  double.setUint32(4, low);
  const magnitude = double.getFloat64(0);
  return negative ? -magnitude : magnitude;
}
