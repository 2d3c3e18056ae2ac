/** Where the tails of a store's log lie: files that one writer holds, written at once and without a transaction. */
export interface TailFolder {
  /**
   * Takes the file for this writer alone. Answers `absent` when there is none, `locked` when another writer holds it, as
   * a leader does that was stopped and not ended. Rejects with `storage/tail-unreadable` when it is there and cannot be
   * opened.
   */
  open(name: string): Promise<TailFile | 'absent' | 'locked'>;
  /** A new file of a name that was never used. Rejects as the platform does: the store then works without a tail. */
  create(name: string): Promise<TailFile>;
  /** All bytes of a file, whoever holds it. Rejects with `storage/tail-unreadable`. */
  readLocked(name: string): Promise<Uint8Array>;
  /** Removes all files but this one; those that another writer holds stay. Never rejects. */
  removeOthers(name: string): Promise<void>;
  /** Removes the folder and all in it; what another writer holds stays. Never rejects. */
  destroy(): Promise<void>;
}

/** An open file. Its calls are done when they return, and throw the platform's errors. */
export interface TailFile {
  byteLength(): number;
  /** Fills `into` from the position on; answers how many bytes there were. */
  read(into: Uint8Array, at: number): number;
  /**
   * Hands all of the bytes to the operating system, which keeps them when the browser is killed; it does not wait for a
   * disk. When it throws, any part of them may stand in the file.
   */
  write(bytes: Uint8Array, at: number): void;
  truncate(byteLength: number): void;
  close(): void;
}
