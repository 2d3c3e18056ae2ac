/**
 * The newest records of a log in a file of their own. New batches go behind the last one, and to the beginning again when
 * what stood there is not needed any more. It knows which records the log's store lacks; only those count.
 */
import { assert } from '../../../src/base/assert.ts';
import type { Lsn } from '../../../src/base/ids.ts';
import type { LogRecord } from '../log-store.ts';
import type { TailFile } from '../tail-folder.ts';
import { decodeTailBatch, encodeTailBatch, scanTail, type TailBatch, tailBytesOf } from './tail-format.ts';

/** How large the file may become. Beyond that, records go to the store. */
export const TAIL_BYTES_MAX: number = 16 * 1024 * 1024;
/** What an empty tail may keep. */
const KEPT_BYTES: number = 1024 * 1024;

/** Bytes that are read at once. */
const READ_BYTES: number = 1024 * 1024;

export class Tail {
  readonly #file: TailFile;
  /** Where the next batch goes, and up to where there is room. */
  #at = 0;
  #end: number = TAIL_BYTES_MAX;
  /** Bytes at the beginning that nothing needs. */
  #free = 0;
  /** Batches with records that the store lacks, ascending, from `#first` on. */
  #batches: TailBatch[] = [];
  #first = 0;
  /** Records up to here are not needed, though a batch may still hold some of them. */
  #dropped = 0;

  /** Reads what stands in the file. */
  constructor(file: TailFile) {
    this.#file = file;
    const byteLength = file.byteLength();
    if (byteLength === 0) return;
    const bytes = new Uint8Array(byteLength);
    file.read(bytes, 0);
    this.#batches = inOrder(scanTail(bytes));
    const newest = this.#batches.at(-1);
    this.#at = newest === undefined ? 0 : newest.at + newest.byteLength;
    this.#measure();
  }

  /** Records that the store lacks. */
  get length(): number {
    let total = 0;
    for (let at = this.#first; at < this.#batches.length; at++) {
      const { firstLsn, lastLsn } = this.#batches[at]!;
      total += lastLsn - Math.max(firstLsn, this.#dropped + 1) + 1;
    }
    return total;
  }

  /** The last record in it; 0 when it is empty. */
  get lastLsn(): number {
    return this.#batches.at(-1)?.lastLsn ?? 0;
  }

  get isEmpty(): boolean {
    return this.#first === this.#batches.length;
  }

  /** Bytes of the batches with records that the store lacks. */
  get bytes(): number {
    let total = 0;
    for (let at = this.#first; at < this.#batches.length; at++) total += this.#batches[at]!.byteLength;
    return total;
  }

  hasRoomFor(records: readonly LogRecord[]): boolean {
    return this.#placeFor(tailBytesOf(records)) !== undefined;
  }

  /** Writes records that follow the last one. Throws when the file refuses them; then `takeBack` must follow. */
  append(records: readonly LogRecord[]): void {
    const batch = encodeTailBatch(records);
    const at = this.#placeFor(batch.byteLength)!;
    if (at < this.#at) this.#end = this.#free;
    this.#at = at;
    this.#file.write(batch, at);
    this.#batches.push({ firstLsn: records[0]!.lsn, lastLsn: records.at(-1)!.lsn, at, byteLength: batch.byteLength });
    this.#at += batch.byteLength;
  }

  /** Removes what a failed append may have left: its LSNs will be used again. Throws when the file refuses that too. */
  takeBack(records: readonly LogRecord[]): void {
    if (this.#end < TAIL_BYTES_MAX) this.#file.write(new Uint8Array(tailBytesOf(records)), this.#at);
    else this.#file.truncate(this.#at);
  }

  /** Up to `limit` records with an LSN above `after`, ascending; no more are read after about `bytesMax`. */
  records(after: Lsn, limit: number, bytesMax: number): readonly LogRecord[] {
    const floor = Math.max(after, this.#dropped);
    const records: LogRecord[] = [];
    let at = this.#first;
    let read = 0;
    while (at < this.#batches.length && this.#batches[at]!.lastLsn <= floor) at++;
    while (at < this.#batches.length && records.length < limit && read < bytesMax) {
      const run = this.#runFrom(at, limit - records.length);
      const start = run[0]!.at;
      const bytes = this.#read(start, run.at(-1)!.at + run.at(-1)!.byteLength);
      for (const batch of run) {
        const from = batch.at - start;
        for (const record of decodeTailBatch(bytes.subarray(from, from + batch.byteLength), batch.firstLsn)) {
          if (record.lsn > floor) records.push(record);
        }
      }
      at += run.length;
      read += bytes.byteLength;
    }
    return records.slice(0, limit);
  }

  /** Forgets records up to an LSN: the store has them, or nobody needs them any more. */
  drop(upTo: Lsn): void {
    this.#dropped = Math.max(this.#dropped, upTo);
    while (!this.isEmpty && this.#batches[this.#first]!.lastLsn <= upTo) this.#first++;
    if (this.#first > this.#batches.length / 2) {
      this.#batches = this.#batches.slice(this.#first);
      this.#first = 0;
    }
    this.#measure();
  }

  /** Empties the file. Its LSNs may then be used again. */
  clear(): void {
    this.#file.truncate(0);
    this.#batches = [];
    this.#first = 0;
    this.#dropped = 0;
    this.#at = 0;
    this.#end = TAIL_BYTES_MAX;
    this.#free = 0;
  }

  /** Empty, and larger than what an empty one should keep. */
  get isWaste(): boolean {
    return this.isEmpty && this.#file.byteLength() > KEPT_BYTES;
  }

  close(): void {
    try {
      if (this.isEmpty && this.#file.byteLength() > 0) this.#file.truncate(0);
    } finally {
      this.#file.close();
    }
  }

  /** Finds where there is room. */
  #measure(): void {
    if (this.isEmpty) {
      this.#at = 0;
      this.#end = TAIL_BYTES_MAX;
      this.#free = 0;
      return;
    }
    let lowest = TAIL_BYTES_MAX;
    this.#end = TAIL_BYTES_MAX;
    for (let index = this.#first; index < this.#batches.length; index++) {
      const { at } = this.#batches[index]!;
      lowest = Math.min(lowest, at);
      if (at >= this.#at) this.#end = Math.min(this.#end, at);
    }
    this.#free = lowest;
  }

  /** Behind the last batch, or at the beginning when there is room only there. */
  #placeFor(byteLength: number): number | undefined {
    if (this.#at + byteLength <= this.#end) return this.#at;
    return this.#end === TAIL_BYTES_MAX && byteLength <= this.#free ? 0 : undefined;
  }

  /** Neighbours in the file, which are read at once: with about so many records, and READ_BYTES. */
  #runFrom(index: number, records: number): readonly TailBatch[] {
    const run: TailBatch[] = [];
    let count = 0;
    let bytes = 0;
    for (let at = index; at < this.#batches.length && count < records && bytes < READ_BYTES; at++) {
      const batch = this.#batches[at]!;
      const before = run.at(-1);
      if (before !== undefined && before.at + before.byteLength !== batch.at) break;
      run.push(batch);
      count += batch.lastLsn - batch.firstLsn + 1;
      bytes += batch.byteLength;
    }
    return run;
  }

  #read(start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - start);
    const count = this.#file.read(bytes, start);
    assert(count === bytes.byteLength, `The tail ends ${bytes.byteLength - count} bytes early.`);
    return bytes;
  }
}

/** Ascending. A batch that stands twice is of two uses of a place, with the same bytes. */
function inOrder(batches: readonly TailBatch[]): TailBatch[] {
  const sorted = [...batches].sort((a, b) => a.firstLsn - b.firstLsn);
  return sorted.filter(({ firstLsn }, index) => index === 0 || firstLsn !== sorted[index - 1]!.firstLsn);
}
