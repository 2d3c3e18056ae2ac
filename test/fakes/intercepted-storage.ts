/** A storage whose requests all pass through one function, the common part of the fakes that misbehave. */
import type { Storage } from '../../worker/storage/storage.ts';

export type StorageOperation =
  | 'log.append'
  | 'log.read'
  | 'log.trim'
  | 'log.quarantine'
  | 'pages.readSuperblock'
  | 'pages.read'
  | 'pages.commit'
  | 'pages.ids'
  | 'blobs.read'
  | 'blobs.delete'
  | 'blobs.ids'
  | 'meta.get'
  | 'meta.put'
  | 'meta.delete'
  | 'meta.keys'
  | 'usage'
  | 'close'
  | 'destroy';

const WRITES: ReadonlySet<StorageOperation> = new Set([
  'log.append',
  'log.trim',
  'log.quarantine',
  'pages.commit',
  'blobs.delete',
  'meta.put',
  'meta.delete',
]);

export function isWrite(operation: StorageOperation): boolean {
  return WRITES.has(operation);
}

/** Runs the request, or does not, and answers for it. */
export type Intercept = <T>(operation: StorageOperation, run: () => Promise<T>) => Promise<T>;

export function interceptStorage(inner: Storage, intercept: Intercept): Storage {
  const { log, pages, blobs, meta } = inner;
  return {
    kind: inner.kind,
    log: {
      append: (batch) => intercept('log.append', () => log.append(batch)),
      read: (after, limit) => intercept('log.read', () => log.read(after, limit)),
      trim: (upTo, after) => intercept('log.trim', () => log.trim(upTo, after)),
      quarantine: (after) => intercept('log.quarantine', () => log.quarantine(after)),
    },
    pages: {
      readSuperblock: () => intercept('pages.readSuperblock', () => pages.readSuperblock()),
      read: (ids) => intercept('pages.read', () => pages.read(ids)),
      commit: (commit) => intercept('pages.commit', () => pages.commit(commit)),
      ids: () => intercept('pages.ids', () => pages.ids()),
    },
    blobs: {
      read: (id) => intercept('blobs.read', () => blobs.read(id)),
      delete: (ids) => intercept('blobs.delete', () => blobs.delete(ids)),
      ids: () => intercept('blobs.ids', () => blobs.ids()),
    },
    meta: {
      get: (key) => intercept('meta.get', () => meta.get(key)),
      put: (key, value) => intercept('meta.put', () => meta.put(key, value)),
      delete: (key) => intercept('meta.delete', () => meta.delete(key)),
      keys: (prefix) => intercept('meta.keys', () => meta.keys(prefix)),
    },
    usage: () => intercept('usage', () => inner.usage()),
    close: () => intercept('close', () => inner.close()),
    destroy: () => intercept('destroy', () => inner.destroy()),
  };
}
