/** What every storage asserts of a write, so that a bug of its caller shows alike on all of them. */
import { assert } from '../../src/base/assert.ts';
import { RECORD_BYTES_MAX } from '../../src/base/limits.ts';
import type { LogAppend } from './log-store.ts';
import type { PageCommit } from './page-store.ts';

export function assertAppend({ records }: LogAppend): void {
  const first = records[0];
  assert(first !== undefined, 'An append needs a record.');
  for (let index = 0; index < records.length; index++) {
    const { lsn, bytes } = records[index]!;
    assert(lsn === first.lsn + index && lsn > 0, `Appended records are consecutive: ${lsn} at ${index}.`);
    assert(bytes.byteLength <= RECORD_BYTES_MAX, `Record ${lsn} has ${bytes.byteLength} bytes.`);
  }
}

export function assertPageCommit({ writes, superblock }: PageCommit): void {
  assert(superblock.generation > 0, `Not a generation: ${superblock.generation}.`);
  assert(superblock.bytes.byteLength <= RECORD_BYTES_MAX, `The superblock has ${superblock.bytes.byteLength} bytes.`);
  for (const { id, bytes } of writes) {
    assert(bytes.byteLength <= RECORD_BYTES_MAX, `Page ${id} has ${bytes.byteLength} bytes.`);
  }
}
