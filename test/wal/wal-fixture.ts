/** Verbs for tests of the log: write groups, read them back, change what is stored. */
import { type Lsn, toLsn } from '../../src/base/ids.ts';
import type { LogStore, MemoryImage } from '../../worker/storage/index.ts';
import {
  type Compression,
  createDeflateRaw,
  createWalWriter,
  readWal,
  type WalReport,
} from '../../worker/wal/index.ts';

export const DEFLATE: Compression = createDeflateRaw({ CompressionStream, DecompressionStream });

export type ReadBack = { readonly groups: readonly ReadGroup[]; readonly report: WalReport };
export type ReadGroup = {
  readonly firstLsn: number;
  readonly lastLsn: number;
  readonly epoch: number;
  readonly payload: Uint8Array;
};

export async function readBack(log: LogStore, after: number = 0): Promise<ReadBack> {
  const reading = readWal({ log, after: toLsn(after), compression: DEFLATE });
  const groups: ReadGroup[] = [];
  for await (const group of reading) groups.push(group);
  return { groups, report: reading.report() };
}

export type GroupToWrite = {
  readonly payload: Uint8Array;
  readonly epoch: number;
  readonly compression: Compression | undefined;
};

/** Writes the groups one after the other from LSN `first` on, and answers what a reading of a sound log gives. */
export async function writeGroups(
  log: LogStore,
  groups: readonly GroupToWrite[],
  first: number = 1,
): Promise<ReadGroup[]> {
  const written: ReadGroup[] = [];
  let nextLsn: Lsn = toLsn(first);
  for (const { payload, epoch, compression } of groups) {
    const writer = createWalWriter({ log, epoch, nextLsn, compression });
    const { firstLsn, lastLsn } = await writer.append({ payload: [payload], blobs: [], durability: 'relaxed' });
    written.push({ firstLsn, lastLsn, epoch, payload });
    nextLsn = writer.nextLsn;
  }
  return written;
}

/** All records of an image, in order. */
export function recordsOf(image: MemoryImage): readonly (readonly [lsn: number, bytes: Uint8Array])[] {
  return image.log.lsnsAfter(0, Number.POSITIVE_INFINITY).map((lsn) => [lsn, image.log.get(lsn)!] as const);
}

/** Bytes that deflate cannot shrink, from a seed. */
export function noise(length: number, random: () => number): Uint8Array {
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);
