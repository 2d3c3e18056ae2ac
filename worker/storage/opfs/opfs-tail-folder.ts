/** Tails as files of the origin private file system, by synchronous access handles, which only dedicated workers have. */
import { StoreError } from '../../../src/base/store-error.ts';
import type { TailFile, TailFolder } from '../tail-folder.ts';

/** As the File System standard has them; the type definitions hold them for workers only. */
interface SyncAccessHandle {
  getSize(): number;
  read(into: Uint8Array, options: { readonly at: number }): number;
  write(bytes: Uint8Array, options: { readonly at: number }): number;
  truncate(byteLength: number): void;
  close(): void;
}

type WorkerFileHandle = FileSystemFileHandle & { createSyncAccessHandle?(): Promise<SyncAccessHandle> };

/** Folder of this package in the origin's file system. Permanent. */
const ROOT_FOLDER = 'collection-store';

/**
 * The folder of a store's tails, made when it is not there. Rejects where the browser has no such file system: in
 * insecure contexts, in some private windows, and when the user forbids storage.
 */
export async function openOpfsTailFolder(storeName: string): Promise<TailFolder> {
  const root = await navigator.storage.getDirectory();
  const parent = await root.getDirectoryHandle(ROOT_FOLDER, { create: true });
  // A store's name may hold what the name of a folder may not.
  const name = encodeURIComponent(storeName).replaceAll('.', '%2E');
  const folder = await parent.getDirectoryHandle(name, { create: true });
  return new OpfsTailFolder(parent, folder);
}

class OpfsTailFolder implements TailFolder {
  readonly #parent: FileSystemDirectoryHandle;
  readonly #folder: FileSystemDirectoryHandle;

  constructor(parent: FileSystemDirectoryHandle, folder: FileSystemDirectoryHandle) {
    this.#parent = parent;
    this.#folder = folder;
  }

  async open(name: string): Promise<TailFile | 'absent' | 'locked'> {
    try {
      const handle = await this.#folder.getFileHandle(name);
      return new OpfsTailFile(await takeAlone(handle));
    } catch (error) {
      if (isNamed(error, 'NotFoundError')) return 'absent';
      if (isNamed(error, 'NoModificationAllowedError')) return 'locked';
      throw unreadable(error);
    }
  }

  async create(name: string): Promise<TailFile> {
    const handle = await this.#folder.getFileHandle(name, { create: true });
    return new OpfsTailFile(await takeAlone(handle));
  }

  async readLocked(name: string): Promise<Uint8Array> {
    try {
      const handle = await this.#folder.getFileHandle(name);
      const file = await handle.getFile();
      return new Uint8Array(await file.arrayBuffer());
    } catch (error) {
      throw unreadable(error);
    }
  }

  async removeOthers(name: string): Promise<void> {
    try {
      const names: string[] = [];
      for await (const other of this.#folder.keys()) if (other !== name) names.push(other);
      await Promise.allSettled(names.map((other) => this.#folder.removeEntry(other)));
    } catch {
      // They cost space, and nothing else; the next tail that is made looks again.
    }
  }

  async destroy(): Promise<void> {
    try {
      await this.#parent.removeEntry(this.#folder.name, { recursive: true });
    } catch {
      // Another writer holds one of the files. No store names it any more.
    }
  }
}

class OpfsTailFile implements TailFile {
  readonly #handle: SyncAccessHandle;

  constructor(handle: SyncAccessHandle) {
    this.#handle = handle;
  }

  byteLength(): number {
    return this.#handle.getSize();
  }

  read(into: Uint8Array, at: number): number {
    return this.#handle.read(into, { at });
  }

  write(bytes: Uint8Array, at: number): void {
    const count = this.#handle.write(bytes, { at });
    if (count !== bytes.byteLength) throw new Error(`Only ${count} of ${bytes.byteLength} bytes were written.`);
  }

  truncate(byteLength: number): void {
    this.#handle.truncate(byteLength);
  }

  close(): void {
    this.#handle.close();
  }
}

/** Exclusive: the browser grants one at a time, over all tabs. */
function takeAlone(handle: WorkerFileHandle): Promise<SyncAccessHandle> {
  if (handle.createSyncAccessHandle === undefined)
    throw new TypeError('Files have no synchronous access handles here.');
  return handle.createSyncAccessHandle();
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

function unreadable(cause: unknown): StoreError {
  return new StoreError('storage/tail-unreadable', 'The newest writes are in a file that cannot be read now.', {
    cause,
    hint: 'Nothing was changed. Open the store again; if it stays so, free space or restart the browser.',
  });
}
