/**
 * The newest records of a log in a file of their own, in two regions that take turns: while the records of one are still
 * needed, new ones go to the other. It knows which records the log's store lacks; only those count.
 */
import { assert } from '../../../src/base/assert.ts';
import type { Lsn } from '../../../src/base/ids.ts';
import type { LogRecord } from '../log-store.ts';
import type { TailFile } from '../tail-folder.ts';
import {
  decodeTailBatch,
  encodeTailBatch,
  scanTail,
  TAIL_REGION_BYTES,
  type TailBatch,
  tailBytesOf,
} from './tail-format.ts';

/** Bytes used of a region after which new records go to the other one, as soon as nothing in it is needed. */
const TURN_BYTES: number = 1024 * 1024;
/** An empty tail gives back a file that has grown beyond this. */
const KEPT_BYTES: number = 1024 * 1024;

/** Bytes that are read at once. */
const READ_BYTES: number = 1024 * 1024;

type Region = { readonly base: number; used: number; lastLsn: number };

export class Tail {
  readonly #file: TailFile;
  readonly #regions: readonly [Region, Region] = [
    { base: 0, used: 0, lastLsn: 0 },
    { base: TAIL_REGION_BYTES, used: 0, lastLsn: 0 },
  ];
  #current: Region = this.#regions[0];
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
    return this.#current.used + tailBytesOf(records) <= TAIL_REGION_BYTES;
  }

  /** Writes records that follow the last one. Throws when the file refuses them; then `takeBack` must follow. */
  append(records: readonly LogRecord[]): void {
    const region = this.#current;
    const batch = encodeTailBatch(records);
    const at = region.base + region.used;
    this.#file.write(batch, at);
    const lastLsn = records.at(-1)!.lsn;
    this.#batches.push({ firstLsn: records[0]!.lsn, lastLsn, at, byteLength: batch.byteLength });
    region.used += batch.byteLength;
    region.lastLsn = lastLsn;
  }

  /** Removes what a failed append may have left: its LSNs will be used again. Throws when the file refuses that too. */
  takeBack(records: readonly LogRecord[]): void {
    const { base, used } = this.#current;
    const [low, high] = this.#regions;
    if (this.#current === low && high.used > 0) this.#file.write(new Uint8Array(tailBytesOf(records)), base + used);
    else this.#file.truncate(base + used);
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
    for (const region of this.#regions) if (region.lastLsn <= upTo) region.used = 0;
    const [low, high] = this.#regions;
    if (low.used + high.used === 0) {
      this.#current = low;
      if (this.#file.byteLength() > KEPT_BYTES) this.#file.truncate(0);
      return;
    }
    const other = this.#current === low ? high : low;
    if (other.used === 0 && this.#current.used > TURN_BYTES) this.#current = other;
  }

  /** Empties the file. Its LSNs may then be used again. */
  clear(): void {
    this.#file.truncate(0);
    this.#batches = [];
    this.#first = 0;
    this.#dropped = 0;
    for (const region of this.#regions) {
      region.used = 0;
      region.lastLsn = 0;
    }
    this.#current = this.#regions[0];
  }

  close(): void {
    try {
      if (this.isEmpty && this.#file.byteLength() > 0) this.#file.truncate(0);
    } finally {
      this.#file.close();
    }
  }

  /** New batches go behind all that were found, in the region of the newest. */
  #measure(): void {
    for (const { at, byteLength, lastLsn } of this.#batches) {
      const region = this.#regions[at < TAIL_REGION_BYTES ? 0 : 1];
      region.used = Math.max(region.used, at + byteLength - region.base);
      region.lastLsn = Math.max(region.lastLsn, lastLsn);
      this.#current = region;
    }
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

/** Ascending. A batch that stands twice is of two uses of a region, with the same bytes. */
function inOrder(batches: readonly TailBatch[]): TailBatch[] {
  const sorted = [...batches].sort((a, b) => a.firstLsn - b.firstLsn);
  return sorted.filter(({ firstLsn }, index) => index === 0 || firstLsn !== sorted[index - 1]!.firstLsn);
}
