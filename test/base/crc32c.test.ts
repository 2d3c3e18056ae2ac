/** Goal: the checksum on disk is CRC-32C and nothing else. Method: published vectors, and a bit-by-bit computation. */
import { describe, expect, test } from 'vitest';
import { crc32c } from '../../src/base/crc32c.ts';

const bytes = (length: number, at: (index: number) => number) => Uint8Array.from({ length }, (_, i) => at(i));

describe('crc32c', () => {
  test.each([
    ['32 zeros (RFC 3720)', bytes(32, () => 0), 0x8a9136aa],
    ['32 ones (RFC 3720)', bytes(32, () => 0xff), 0x62a8ab43],
    ['ascending (RFC 3720)', bytes(32, (i) => i), 0x46dd794e],
    ['descending (RFC 3720)', bytes(32, (i) => 31 - i), 0x113fdb5c],
    ['the check string', new TextEncoder().encode('123456789'), 0xe3069283],
    ['nothing', new Uint8Array(0), 0],
  ])('[B7] known vector: %s', (_, input, expected) => {
    expect(crc32c(input)).toBe(expected);
  });

  test('[B7] an iSCSI read command (RFC 3720)', () => {
    const command = new Uint8Array(48);
    command.set([0x01, 0xc0], 0);
    command[16] = 0x14;
    command.set([0x04, 0x00], 22);
    command.set([0x14], 27);
    command.set([0x18], 31);
    command.set([0x28], 32);
    command.set([0x02], 40);
    expect(crc32c(command)).toBe(0xd9963a56);
  });

  test('[B7] every length up to 100 and every offset equals the bit-by-bit computation', () => {
    const all = bytes(120, (i) => (i * 167 + 13) & 255);
    for (let offset = 0; offset < 9; offset++) {
      for (let length = 0; length <= 100; length++) {
        const part = all.subarray(offset, offset + length);
        expect(crc32c(part), `offset ${offset}, length ${length}`).toBe(bitByBit(part));
      }
    }
  });

  test('[B7] a seed continues a checksum at any cut', () => {
    const all = bytes(77, (i) => (i * 31) & 255);
    const whole = crc32c(all);
    for (let cut = 0; cut <= all.length; cut++) {
      expect(crc32c(all.subarray(cut), crc32c(all.subarray(0, cut))), `cut at ${cut}`).toBe(whole);
    }
  });
});

function bitByBit(input: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of input) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
