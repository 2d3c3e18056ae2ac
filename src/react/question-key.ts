/** A name for a question, equal for questions that are asked equally. */
import type { LiveSource } from '../bindings/live-source.ts';

/** Numbers for objects that are compared by identity. */
export class QuestionKeys {
  readonly #numbers = new WeakMap<object, number>();
  #last = 0;

  keyOf(source: LiveSource<unknown>): string {
    const [asked, ...data] = source.question ?? [source];
    let number = this.#numbers.get(asked);
    if (number === undefined) {
      number = ++this.#last;
      this.#numbers.set(asked, number);
    }
    return number + write(data);
  }
}

/**
 * As text, with what tells apart the values that JSON makes equal: dates, binary, patterns, `undefined`, NaN, -0. The order
 * of fields counts, as it does in a sort. What lies deeper than any question may, is left out: the engine refuses it.
 */
function write(value: unknown, depth = 0): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (depth > DEPTH_MAX) return '...';
  if (typeof value !== 'object' || value === null) return typeof value + (Object.is(value, -0) ? '-0' : String(value));
  if (Array.isArray(value)) return `[${value.map((element) => write(element, depth + 1))}]`;
  const kind = Object.prototype.toString.call(value);
  if (value instanceof Date) return kind + value.getTime();
  if (value instanceof RegExp) return kind + value;
  const bytes = ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : value;
  const fields = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes;
  return `${kind}{${Object.entries(fields).map(([name, field]) => JSON.stringify(name) + write(field, depth + 1))}}`;
}

const DEPTH_MAX = 128;
