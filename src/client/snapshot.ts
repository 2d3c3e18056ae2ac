/**
 * Copies of what the application gave. A call leaves with its microtask, not at once, so whatever the application
 * changes in its own objects until then must not change the call.
 */
import { ROW_DEPTH_MAX } from '../base/limits.ts';

/** Selectors and changes: `undefined` means something there. */
export const copyArgument = <T>(value: T): T => copy(value, [], true) as T;

/** Documents: `undefined` properties count as absent. What cannot be stored stays as it is, for the codec to name. */
export const copyRow = <T>(value: T): T => copy(value, [], false) as T;

function copy(value: unknown, above: readonly unknown[], keepsUndefined: boolean): unknown {
  if (typeof value !== 'object' || value === null || above.length > ROW_DEPTH_MAX || above.includes(value))
    return value;
  const path = [...above, value];
  const inner = (field: unknown): unknown => copy(field, path, keepsUndefined);
  if (Array.isArray(value)) return Array.from(value, inner);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    const result: Record<string, unknown> = {};
    for (const name of Object.keys(value)) {
      // Assigning it would set a prototype (S5). The original goes on, and is refused.
      if (name === '__proto__') return value;
      const field = (value as Record<string, unknown>)[name];
      if (field !== undefined || keepsUndefined) result[name] = inner(field);
    }
    return result;
  }
  if (value instanceof Date) return new Date(value);
  return value instanceof ArrayBuffer || (ArrayBuffer.isView(value) && 'slice' in value)
    ? (value as ArrayBuffer).slice(0)
    : value;
}
