/** Updates and states of Yjs as bytes. */
import { StoreError } from '../../src/base/store-error.ts';
import { checkUpdate } from '../../src/protocol/sync/index.ts';

/** The relay, or a tab, has looked through what it passes on; Yjs trusts what it reads, so it is looked through here, too. */
export function isSound(update: Uint8Array): boolean {
  try {
    checkUpdate(update);
    return true;
  } catch (error) {
    if (error instanceof StoreError) return false;
    throw error;
  }
}

export const isSame = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, at) => byte === b[at]);
