/** Small named values: store identity, format version. Values are structured-cloneable and small (under 48 KiB). */
export interface MetaStore {
  get(key: string): Promise<unknown>;
  put(key: string, value: unknown): Promise<void>;
  delete(key: string): Promise<void>;
  /** Keys that begin with `prefix`, ascending. Records that left the log stand under `quarantine/`. */
  keys(prefix: string): Promise<readonly string[]>;
}
