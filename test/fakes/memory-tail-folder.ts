/** Tail files in memory that outlive their writers, and fail as told. A writer that crashes leaves its files unlocked. */
import type { TailFile, TailFolder } from '../../worker/storage/index.ts';

export type TailFaults = {
  /** Write number `write`, from 1, throws after half of its bytes, and with `persistent` all writes that follow. */
  readonly write?: number;
  readonly lasts?: 'once' | 'persistent';
  /** Truncating throws from the failed write on. */
  readonly truncate?: 'throws';
  /** The browser dies in the middle of write number `crash`: half of it is stored, and nothing later. */
  readonly crash?: number;
  /** Asked at each write: whether it throws after half of its bytes. The browser may have died of it. */
  readonly isTorn?: () => boolean;
  /** Whether the browser has died of something else. */
  readonly isDead?: () => boolean;
  /** Milliseconds that each write takes on the image's clock. */
  readonly writeMs?: number;
};

type ImageFile = {
  bytes: Uint8Array<ArrayBuffer>;
  isLocked: boolean;
  /** Whether whoever locked it has died. */
  isLeft?: () => boolean;
};

const isHeld = ({ isLocked, isLeft }: ImageFile): boolean => isLocked && isLeft?.() !== true;

export class TailImage {
  readonly files: Map<string, ImageFile> = new Map();
  nowMs = 0;

  /** As if the browser had been killed: nobody holds a file. */
  unlock(): void {
    for (const file of this.files.values()) file.isLocked = false;
  }

  copy(): TailImage {
    const copy = new TailImage();
    for (const [name, { bytes }] of this.files) copy.files.set(name, { bytes: bytes.slice(), isLocked: false });
    return copy;
  }
}

export interface MemoryTailFolder extends TailFolder {
  readonly writes: number;
  readonly hasCrashed: boolean;
}

export function createMemoryTailFolder(image: TailImage, faults: TailFaults = {}): MemoryTailFolder {
  let writes = 0;
  let hasCrashed = false;
  const mustRun = (): void => {
    if (hasCrashed || faults.isDead?.() === true) throw new Error('Crashed.');
  };
  const fail = (isDue: boolean, what: string): void => {
    if (isDue) throw new DOMException(`Injected failure of ${what}.`, 'QuotaExceededError');
  };

  const take = (name: string): TailFile => {
    const file = image.files.get(name)!;
    file.isLocked = true;
    if (faults.isDead !== undefined) file.isLeft = faults.isDead;
    let isOpen = true;
    const bytes = (): Uint8Array<ArrayBuffer> => {
      mustRun();
      if (!isOpen) throw new DOMException('The handle is closed.', 'InvalidStateError');
      return file.bytes;
    };
    const put = (part: Uint8Array, at: number): void => {
      const byteLength = Math.max(file.bytes.byteLength, at + part.byteLength);
      if (byteLength > file.bytes.buffer.byteLength) {
        const grown = new Uint8Array(2 * byteLength);
        grown.set(file.bytes);
        file.bytes = grown;
      }
      file.bytes = new Uint8Array(file.bytes.buffer, 0, byteLength);
      file.bytes.set(part, at);
    };
    return {
      byteLength: () => bytes().byteLength,
      read: (into, at) => {
        const part = bytes().subarray(at, at + into.byteLength);
        into.set(part);
        return part.byteLength;
      },
      write: (part, at) => {
        bytes();
        writes++;
        image.nowMs += faults.writeMs ?? 0.01;
        const half = part.subarray(0, part.byteLength >> 1);
        if (writes === faults.crash) {
          put(half, at);
          hasCrashed = true;
          mustRun();
        }
        if (faults.isTorn?.() === true) {
          put(half, at);
          mustRun();
          fail(true, 'a write');
        }
        const isDue = writes === faults.write || (faults.lasts === 'persistent' && writes > (faults.write ?? Infinity));
        if (isDue) put(half, at);
        fail(isDue, 'a write');
        put(part, at);
      },
      truncate: (byteLength) => {
        bytes();
        fail(faults.truncate === 'throws' && writes >= (faults.write ?? 0), 'truncating');
        const cut = new Uint8Array(byteLength);
        cut.set(file.bytes.subarray(0, byteLength));
        file.bytes = cut;
      },
      close: () => {
        isOpen = false;
        file.isLocked = false;
      },
    };
  };

  return {
    get writes() {
      return writes;
    },
    get hasCrashed() {
      return hasCrashed;
    },
    async open(name) {
      mustRun();
      const file = image.files.get(name);
      if (file === undefined) return 'absent';
      return isHeld(file) ? 'locked' : take(name);
    },
    async create(name) {
      mustRun();
      image.files.set(name, { bytes: new Uint8Array(0), isLocked: false });
      return take(name);
    },
    async readLocked(name) {
      return image.files.get(name)!.bytes.slice();
    },
    async removeOthers(name) {
      for (const [other, file] of image.files) if (other !== name && !isHeld(file)) image.files.delete(other);
    },
    async destroy() {
      for (const [name, file] of image.files) if (!isHeld(file)) image.files.delete(name);
    },
  };
}
