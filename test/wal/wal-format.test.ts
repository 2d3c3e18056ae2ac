/** Goal: the bytes on disk are those of FORMAT.md. Method: its example is reproduced, and each field is broken in turn. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../../src/base/crc32c.ts';
import { type Lsn, toLsn } from '../../src/base/ids.ts';
import { FRAME_HEADER_BYTES, openFrame, sealFrame } from '../../worker/wal/wal-format.ts';

const LSN = toLsn(258);

function frame(lsn: Lsn = LSN, flags = 3): Uint8Array {
  const payload = new TextEncoder().encode('hello');
  const record = new Uint8Array(FRAME_HEADER_BYTES + payload.byteLength);
  record.set(payload, FRAME_HEADER_BYTES);
  sealFrame(record, { flags, epoch: 7, lsn });
  return record;
}

/** The frame with some bytes changed and, as only a writer of ours could, a checksum that agrees with them. */
function changed(change: (record: Uint8Array) => void): Uint8Array {
  const record = frame();
  change(record);
  const crc = crc32c(record.subarray(28), crc32c(record.subarray(0, 24)));
  new DataView(record.buffer).setUint32(24, crc, true);
  return record;
}

describe('frame', () => {
  test('[B7] the example of FORMAT.md, byte for byte', () => {
    const text = readFileSync(new URL('../../worker/wal/FORMAT.md', import.meta.url), 'utf8');
    const example = text.slice(text.indexOf('## Example'), text.indexOf('## Fencing'));
    const hex = [...example.matchAll(/^ {4}((?:[0-9a-f]{2} ?)+)$/gm)].map(([, line]) => line).join(' ');
    expect([...frame()].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')).toBe(hex);
  });

  test('[B7] opens what it sealed', () => {
    const opened = openFrame(frame(), LSN);
    expect(opened).toMatchObject({ flags: 3, epoch: 7, lsn: 258 });
    expect(new TextDecoder().decode((opened as { payload: Uint8Array }).payload)).toBe('hello');
  });

  test.each([1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 12_345, 2 ** 53 - 1])('[B7] LSN %i', (lsn) => {
    expect(openFrame(frame(toLsn(lsn)), toLsn(lsn))).toMatchObject({ lsn });
  });

  test('[B7] every single bit that flips is found', () => {
    for (let bit = 0; bit < frame().byteLength * 8; bit++) {
      const record = frame();
      record[bit >> 3]! ^= 1 << (bit & 7);
      expect(openFrame(record, LSN), `bit ${bit}`).toEqual(expect.any(String));
    }
  });

  test('[B7] every length but its own is found', () => {
    for (let length = 0; length < 40; length++) {
      const record = new Uint8Array(length);
      record.set(frame().subarray(0, Math.min(length, 33)));
      if (length !== 33) expect(openFrame(record, LSN), `length ${length}`).toMatch(/short-frame|wrong-length/);
    }
  });

  test.each([
    ['bad-magic', changed((record) => record.set([0x44], 0))],
    ['unknown-version', changed((record) => record.set([2], 4))],
    ['unknown-flags', changed((record) => record.set([8 | 3], 5))],
    ['unknown-flags', changed((record) => record.set([1], 6))],
    ['wrong-length', changed((record) => record.set([6], 20))],
    ['wrong-lsn', changed((record) => record.set([3], 12))],
    ['wrong-lsn', changed((record) => record.set([255, 255, 255, 255], 16))],
    ['bad-checksum', frame().with(30, 1)],
    ['bad-magic', new Uint8Array(100)],
    ['short-frame', new Uint8Array(0)],
  ])('[B7] %s', (fault, record) => {
    expect(openFrame(record, LSN)).toBe(fault);
  });

  test('[B7] a sound frame under another key is not taken', () => {
    expect(openFrame(frame(), toLsn(259))).toBe('wrong-lsn');
  });
});
