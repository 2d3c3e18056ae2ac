/** CRC-32C (Castagnoli), the checksum of log frames and pages. Pure; the value is on disk, so it is permanent. */

/** The polynomial 0x1EDC6F41 with its bits reversed. */
const POLYNOMIAL = 0x82f63b78;
/** Bytes taken per step: enough tables to keep the adder busy, few enough (16 KiB) to stay in the first-level cache. */
const SLICES = 16;

const TABLES: readonly Int32Array[] = createTables();
const [T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15] = TABLES as readonly Int32Array[] & {
  readonly [K in 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15]: Int32Array;
};

/**
 * The checksum of `bytes` as an unsigned 32-bit number. Given the checksum of what stands before as `seed`, the result is
 * the checksum of both together.
 */
export function crc32c(bytes: Uint8Array, seed: number = 0): number {
  const { length } = bytes;
  const end = length - (length % SLICES);
  let crc = ~seed;
  let at = 0;
  // The tables are indexed by bytes, so every look-up is in range and the assertions of presence cost nothing.
  for (; at < end; at += SLICES) {
    crc =
      T15[(crc ^ bytes[at]!) & 255]! ^
      T14[((crc >>> 8) ^ bytes[at + 1]!) & 255]! ^
      T13[((crc >>> 16) ^ bytes[at + 2]!) & 255]! ^
      T12[(crc >>> 24) ^ bytes[at + 3]!]! ^
      T11[bytes[at + 4]!]! ^
      T10[bytes[at + 5]!]! ^
      T9[bytes[at + 6]!]! ^
      T8[bytes[at + 7]!]! ^
      T7[bytes[at + 8]!]! ^
      T6[bytes[at + 9]!]! ^
      T5[bytes[at + 10]!]! ^
      T4[bytes[at + 11]!]! ^
      T3[bytes[at + 12]!]! ^
      T2[bytes[at + 13]!]! ^
      T1[bytes[at + 14]!]! ^
      T0[bytes[at + 15]!]!;
  }
  for (; at < length; at++) crc = T0[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Table `k` gives the effect of a byte that has `k` more bytes behind it. */
function createTables(): readonly Int32Array[] {
  const tables = Array.from({ length: SLICES }, () => new Int32Array(256));
  const first = tables[0]!;
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    first[byte] = crc;
  }
  for (let slice = 1; slice < SLICES; slice++) {
    const before = tables[slice - 1]!;
    const table = tables[slice]!;
    for (let byte = 0; byte < 256; byte++) table[byte] = first[before[byte]! & 255]! ^ (before[byte]! >>> 8);
  }
  return tables;
}
