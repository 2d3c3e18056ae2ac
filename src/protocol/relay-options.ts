/** Checks what an application says of its relays. Runs in the worker; the page's part needs what it gives. */
import { StoreError } from '../base/store-error.ts';
import { checkOptions } from './check-options.ts';
import type { Relay } from './sync-worker.ts';

const RELAYS_MAX = 16;
const URL_LENGTH_MAX = 2_048;

/** The relays of `openStore({ sync })`, the preferred ones first. Throws `store/...` for the first thing that is wrong. */
export function toRelays(sync: unknown): readonly Relay[] {
  const refuse = (option: string, rule: string): never => {
    throw new StoreError('store/invalid-option', `openStore: sync.${option} ${rule}.`, {
      details: { option: `sync.${option}`, rule },
    });
  };
  if (typeof sync !== 'object' || sync === null || Array.isArray(sync)) return refuse('relays', 'must be an array');
  checkOptions(sync, ['relays', 'token', 'worker'], [], 'store', { option: 'sync' });
  const { relays } = sync as { readonly relays?: unknown };
  if (!Array.isArray(relays) || relays.length === 0) return refuse('relays', 'must be an array of at least one relay');
  if (relays.length > RELAYS_MAX) refuse('relays', `must not be more than ${RELAYS_MAX}`);
  const checked = relays.map((relay: unknown, at): Relay => {
    const option = `relays[${at}]`;
    if (typeof relay !== 'object' || relay === null) return refuse(option, 'must be an object with a url');
    checkOptions(relay, ['url', 'priority'], [], 'store', { option: `sync.${option}` });
    const { url, priority = at + 1 } = relay as { readonly url?: unknown; readonly priority?: unknown };
    if (typeof url !== 'string' || !isSocketUrl(url)) return refuse(`${option}.url`, 'must be a ws: or wss: address');
    if (typeof priority !== 'number' || Number.isNaN(priority)) return refuse(`${option}.priority`, 'must be a number');
    return { url, priority };
  });
  return checked.sort((a, b) => a.priority - b.priority);
}

function isSocketUrl(url: string): boolean {
  if (url.length > URL_LENGTH_MAX) return false;
  try {
    return /^wss?:$/.test(new URL(url).protocol);
  } catch {
    return false;
  }
}
