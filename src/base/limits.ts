/** Limits that more than one layer must agree on. A limit of one layer stands in the file that owns it. */

/**
 * Largest value in one IndexedDB record, in bytes. Chromium moves larger values (64 KiB and more) to blob files, which
 * cost a file operation each; staying under 48 KiB avoids that in both of its engines. Permanent: pages and frames on
 * disk are never larger.
 */
export const RECORD_BYTES_MAX: number = 48 * 1024;

/** Deepest nesting of objects and arrays in a document. */
export const ROW_DEPTH_MAX: number = 64;

/** Largest document, encoded, in bytes. */
export const ROW_BYTES_MAX: number = 128 * 1024 * 1024;
