/** A text that is the same for equal queries, and different for different ones. */
import { binaryType } from '../../src/base/codec/index.ts';
import { ROW_DEPTH_MAX } from '../../src/base/limits.ts';

/** Values in a query that is compared with others; larger ones share with none. */
const VALUES_MAX = 20_000;

/**
 * The order of names counts, as it does where operands are compared. Undefined for what holds anything but plain data:
 * such a query shares with no other.
 */
export function canonicalText(value: unknown): string | undefined {
  let isPlain = true;
  let values = 0;
  let depth = 0;
  const write = (part: unknown): string => {
    values += 1;
    if (values > VALUES_MAX || depth > ROW_DEPTH_MAX) isPlain = false;
    if (!isPlain) return '';
    depth += 1;
    const text = writeValue(part);
    depth -= 1;
    return text;
  };
  const writeValue = (part: unknown): string => {
    if (typeof part === 'string') return JSON.stringify(part);
    if (typeof part !== 'object' || part === null) {
      if (typeof part === 'function' || typeof part === 'symbol') isPlain = false;
      return Object.is(part, -0) ? '-0' : String(part);
    }
    if (Array.isArray(part)) return `[${Array.from(part, write).join()}]`;
    if (part instanceof Date) return `date ${part.getTime()}`;
    if (part instanceof RegExp) return `regex ${JSON.stringify(String(part))}`;
    const type = binaryType(part);
    if (type >= 0) {
      const bytes = ArrayBuffer.isView(part)
        ? new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
        : new Uint8Array(part as ArrayBuffer);
      return `binary ${type} ${bytes.join()}`;
    }
    const prototype: unknown = Object.getPrototypeOf(part);
    if (prototype !== Object.prototype && prototype !== null) isPlain = false;
    return `{${Object.entries(part).map(([name, field]) => `${JSON.stringify(name)}:${write(field)}`)}}`;
  };
  const text = write(value);
  return isPlain ? text : undefined;
}
