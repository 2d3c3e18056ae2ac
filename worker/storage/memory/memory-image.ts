/** What a memory storage holds: the "disk" that survives when the storage on it is closed or crashes. */

export type MemoryImage = {
  readonly log: SortedRecords;
  readonly pages: Map<number, Uint8Array>;
  superblock: { readonly generation: number; readonly bytes: Uint8Array } | undefined;
  readonly blobs: Map<number, Uint8Array>;
  readonly meta: Map<string, unknown>;
};

export function createMemoryImage(): MemoryImage {
  return { log: new SortedRecords(), pages: new Map(), superblock: undefined, blobs: new Map(), meta: new Map() };
}

/** An image of this moment. Cheap: bytes are never changed in place, so both images may share them. */
export function copyMemoryImage({ log, pages, superblock, blobs, meta }: MemoryImage): MemoryImage {
  return { log: log.copy(), pages: new Map(pages), superblock, blobs: new Map(blobs), meta: new Map(meta) };
}

/** Bytes by number with ascending reads. Numbers mostly arrive in order. */
export class SortedRecords {
  readonly #bytesByLsn: Map<number, Uint8Array>;
  #lsns: number[];

  constructor(records: Iterable<readonly [number, Uint8Array]> = []) {
    this.#bytesByLsn = new Map(records);
    this.#lsns = [...this.#bytesByLsn.keys()].sort((a, b) => a - b);
  }

  get size(): number {
    return this.#lsns.length;
  }

  has(lsn: number): boolean {
    return this.#bytesByLsn.has(lsn);
  }

  get(lsn: number): Uint8Array | undefined {
    return this.#bytesByLsn.get(lsn);
  }

  values(): Iterable<Uint8Array> {
    return this.#bytesByLsn.values();
  }

  set(lsn: number, bytes: Uint8Array): void {
    if (!this.#bytesByLsn.has(lsn)) {
      if (lsn > (this.#lsns.at(-1) ?? 0)) this.#lsns.push(lsn);
      else this.#lsns.splice(this.#indexAfter(lsn), 0, lsn);
    }
    this.#bytesByLsn.set(lsn, bytes);
  }

  delete(lsn: number): void {
    if (this.#bytesByLsn.delete(lsn)) this.#lsns.splice(this.#indexAfter(lsn) - 1, 1);
  }

  lsnsAfter(lsn: number, limit: number): readonly number[] {
    const from = this.#indexAfter(lsn);
    return this.#lsns.slice(from, from + limit);
  }

  deleteUpTo(lsn: number, after = 0): void {
    const from = this.#indexAfter(after);
    const count = Math.max(0, this.#indexAfter(lsn) - from);
    for (const gone of this.#lsns.splice(from, count)) this.#bytesByLsn.delete(gone);
  }

  deleteAfter(lsn: number): void {
    for (const gone of this.#lsns.splice(this.#indexAfter(lsn))) this.#bytesByLsn.delete(gone);
  }

  clear(): void {
    this.#bytesByLsn.clear();
    this.#lsns = [];
  }

  copy(): SortedRecords {
    return new SortedRecords(this.#bytesByLsn);
  }

  #indexAfter(lsn: number): number {
    let low = 0;
    let high = this.#lsns.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#lsns[middle]! <= lsn) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
