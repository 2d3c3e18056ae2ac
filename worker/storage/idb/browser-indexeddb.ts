/** This thread's IndexedDB. Some browsers throw at the mere question, where storage is forbidden. */
export function browserIndexedDb(): IDBFactory | undefined {
  try {
    return globalThis.indexedDB;
  } catch {
    return undefined;
  }
}
