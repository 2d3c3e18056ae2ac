/** Bytes as IndexedDB values. Stored as a bare ArrayBuffer: a view's clone carries its whole buffer and its type as well. */
import { StoreError } from '../../../src/base/store-error.ts';

/** A buffer of exactly these bytes. Shared with `bytes` where they fill their buffer: the request clones it at once. */
export function bytesToValue(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteLength } = bytes;
  if (buffer.byteLength === byteLength && buffer instanceof ArrayBuffer) return buffer;
  return bytes.slice().buffer as ArrayBuffer;
}

/** `undefined` for a value that no store of ours can have written. */
export function valueToBytes(value: unknown): Uint8Array | undefined {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}

export function mustBeBytes(value: unknown, what: string): Uint8Array {
  const bytes = valueToBytes(value);
  if (bytes === undefined) throw damaged(`${what} is not binary.`, { what });
  return bytes;
}

export function damaged(message: string, details: Readonly<Record<string, unknown>>): StoreError {
  return new StoreError('storage/damaged', message, {
    details,
    hint: 'Nothing was changed. Run verify() with repair, or restore from the relay or a backup.',
  });
}
