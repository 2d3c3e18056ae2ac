import type { Row } from '../row.ts';

/**
 * About how many bytes a row takes among others in a page: field names are not counted. Cheap and unchecked, for
 * filling pages and for budgets; it may be off by half, and more for text beyond Latin letters. Call it on a row that
 * can be stored: it follows cycles.
 */
export function estimateRowBytes(row: Row): number {
  return estimateFields(row, 2);
}

function estimateFields(object: object, own: number): number {
  let bytes = own;
  for (const name in object) bytes += estimateValue((object as Row)[name]);
  return bytes;
}

function estimateValue(value: unknown): number {
  if (typeof value === 'string') return value.length + 3;
  if (typeof value === 'number') return 4;
  if (typeof value !== 'object' || value === null) return 1;
  if (Array.isArray(value)) {
    let bytes = 2;
    for (let i = 0; i < value.length; i++) bytes += estimateValue(value[i]);
    return bytes;
  }
  if (value instanceof Date) return 6;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength + 4;
  return estimateFields(value, 1);
}
