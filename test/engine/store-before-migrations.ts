/**
 * A store as it was stored before collections could be migrated, catalogue format 1 and commits version 1: rows 1 to 3 of a
 * collection `items` in pages, and two commits in the log, which replace row 2 and create row 'x'. Never made anew.
 */
import { createMemoryImage, type MemoryImage } from '../../worker/storage/index.ts';

const LOG: readonly (readonly [number, string])[] = [
  [3, 'Q1NXRgEDAAABAAAAAwAAAAAAAAArAAAAWxg/cgEjAQEDAQIAAgIAFQMAWyJpZCIsIm4iLCJjb2RlIiwiYzIiXRYBAAEBAQE='],
  [4, 'Q1NXRgEDAAABAAAABAAAAAAAAAAuAAAAs/CpSQEmAQEDAQMAAgABAwBbImlkIiwibiIsImNvZGUiLCJ4IiwiY3giXRoBAAEBAQE='],
];
const PAGES: readonly (readonly [number, string])[] = [
  [1, 'Q1ABART1jWoAAAAAAADwPwEAAAAAAQMDAQICASQCBAoAChQDAFsiaWQiLCJuIiwiY29kZSIsImMxIiwiYzIiLCJjMyJdIA=='],
  [2, 'Q1ABAnfkDr4AAAAAAAAAQAIAAAAEIjJrIlsiMUZcYlxianoiLCIyRlxiXGJrIiwiMnNcYlxiay1WIl0='],
  [3, 'Q1ABAor6q6QAAAAAAAAIQAMAAAAEIjNjIlsiMVxiXGJqeiIsIjJcYlxiayIsIjNcYlxiay1WIl0='],
];
const SUPERBLOCK =
  'nAYQ0gEBCgECAAECAAICAAECAAQCAAECAAQCAAIGAAAABgAAAAYAAQcGAQIAAQcEAQMAAwAGAAIHBgEDAAYAAQMAAQEAAgEAAAEAAAEAAAIAAQ' +
  'IAAQIAAwYAAgcGAQcGAQMABgABAwABAQACAQAAAQAAAQAAAgECAgIAAwMAAQAAAgECAgIAAVsiZm9ybWF0IiwiZmxvb3IiLCJlcG9jaCIsIm5l' +
  'eHRQYWdlIiwibmV4dEJsb2IiLCJuZXh0VHJlZSIsIm5leHRDb2xsZWN0aW9uIiwicGVuZGluZ1BhZ2VzIiwicGVuZGluZ0Jsb2JzIiwiY29sbG' +
  'VjdGlvbnMiLCJpZCIsInNwZWMiLCJ0cmVlIiwiY291bnQiLCJpbmRleGVzIiwicm9vdCIsIm5hbWUiLCJrZXkiLCJpbmRleGVzIiwidmVyc2lv' +
  'biIsIml0ZW1zIiwiaWQiLCJuYW1lIiwib24iLCJ1bmlxdWUiLCJtdWx0aSIsInNwYXJzZSIsImNhc2VJbnNlbnNpdGl2ZSIsIm4iLCJjb2RlIi' +
  'wibiIsImNvZGUiLCJzcGVjIiwidHJlZSIsImNvdW50Iiwic3RhdGUiLCJtZWV0c0FycmF5cyIsInJvb3QiLCJuYW1lIiwib24iLCJ1bmlxdWUi' +
  'LCJtdWx0aSIsInNwYXJzZSIsImNhc2VJbnNlbnNpdGl2ZSIsIm4iLCJjb2RlIiwibiIsImNvZGUiLCJyZWFkeSIsInJlYWR5Il0xgw==';

export function storeBeforeMigrations(): MemoryImage {
  const image = createMemoryImage();
  for (const [lsn, text] of LOG) image.log.set(lsn, bytesOf(text));
  for (const [page, text] of PAGES) image.pages.set(page, bytesOf(text));
  image.superblock = { generation: 1, bytes: bytesOf(SUPERBLOCK) };
  return image;
}

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
