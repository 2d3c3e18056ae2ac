/** Brands of positions and ids that are plain numbers at run time. Each has one constructor, which checks. */
import { AssertionError } from './assert.ts';

declare const brand: unique symbol;

/** Log sequence number: 1, 2, 3 ... without gaps over the life of a store. 0 means "before the first". */
export type Lsn = number & { readonly [brand]: 'Lsn' };
/** Number of a page in the page store: 1, 2, 3 ..., never used twice. */
export type PageId = number & { readonly [brand]: 'PageId' };
/** Number of a value in the blob store: 1, 2, 3 ..., never used twice. */
export type BlobId = number & { readonly [brand]: 'BlobId' };

export function toLsn(value: number): Lsn {
  if (!Number.isSafeInteger(value) || value < 0) throw new AssertionError(`Not a log sequence number: ${value}.`);
  return value as Lsn;
}

export function toPageId(value: number): PageId {
  if (!Number.isSafeInteger(value) || value <= 0) throw new AssertionError(`Not a page id: ${value}.`);
  return value as PageId;
}

export function toBlobId(value: number): BlobId {
  if (!Number.isSafeInteger(value) || value <= 0) throw new AssertionError(`Not a blob id: ${value}.`);
  return value as BlobId;
}
