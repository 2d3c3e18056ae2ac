/** From what `openStore` was given to what the engine opens with. Runs in the worker, as the checks of definitions do. */
import { StoreError } from '../base/store-error.ts';
import { checkOptions } from './check-options.ts';
import { toCollectionSpec } from './collection-spec.ts';
import type { EngineOptions } from './engine-api.ts';
import { toRelays } from './relay-options.ts';

const OPTIONS = [
  'name',
  'collections',
  'durability',
  'storage',
  'cacheBytesMax',
  'scanRowsMax',
  'timeoutMs',
  'worker',
  'unstable',
  'sync',
];
const LATER_OPTIONS = ['relays', 'conflict', 'encryption'];
const NAME_LENGTH_MAX = 128;
const COLLECTIONS_MAX = 1_000;
const CACHE_BYTES_DEFAULT = 32 * 1024 * 1024;
const CACHE_BYTES_MIN = 1024 * 1024;

type RawOptions = { readonly [Option in keyof EngineOptions]?: EngineOptions[Option] } & {
  readonly timeoutMs?: number;
  readonly sync?: unknown;
};

/** Throws `store/...`, `collection/...` or `index/...` for the first thing that is wrong. */
export function toEngineOptions(raw: unknown): EngineOptions {
  const refuse = (option: string, rule: string): never => {
    throw new StoreError('store/invalid-option', `openStore: ${option} ${rule}.`, { details: { option, rule } });
  };
  if (typeof raw !== 'object' || raw === null) refuse('options', 'must be an object');
  const options = raw as Omit<RawOptions, 'collections'> & { readonly collections?: Readonly<Record<string, unknown>> };
  checkOptions(options, OPTIONS, LATER_OPTIONS, 'store', {});
  const { name = '', collections, durability = 'relaxed', storage = ['indexeddb'] } = options;
  const { cacheBytesMax = CACHE_BYTES_DEFAULT, scanRowsMax, timeoutMs = 1, unstable, sync } = options;
  if (typeof name !== 'string' || name === '' || name.length > NAME_LENGTH_MAX) {
    refuse('name', `must be a string of 1 to ${NAME_LENGTH_MAX} characters`);
  }
  if (typeof collections !== 'object' || collections === null || Array.isArray(collections)) {
    return refuse('collections', 'must be an object of definitions');
  }
  if (Object.keys(collections).length > COLLECTIONS_MAX)
    refuse('collections', `must not be more than ${COLLECTIONS_MAX}`);
  if (!['strict', 'relaxed', 'deferred'].includes(durability)) {
    refuse('durability', "must be 'strict', 'relaxed' or 'deferred'");
  }
  if (!Array.isArray(storage) || storage.length === 0) refuse('storage', 'must be an array of homes');
  for (const home of storage) {
    if (home !== 'indexeddb' && home !== 'memory') {
      throw new StoreError('store/unsupported-option', `openStore: unsupported storage ${JSON.stringify(home)}.`, {
        details: { option: 'storage', home },
        hint: "This version knows 'indexeddb' and 'memory'.",
      });
    }
  }
  if (new Set(storage).size < storage.length) refuse('storage', 'must not name a home twice');
  if (!(cacheBytesMax >= CACHE_BYTES_MIN)) refuse('cacheBytesMax', `must be a number of at least ${CACHE_BYTES_MIN}`);
  if (scanRowsMax !== undefined && !(scanRowsMax >= 0)) refuse('scanRowsMax', 'must be a number of 0 or more');
  if (!(timeoutMs > 0)) refuse('timeoutMs', 'must be a number above 0');
  if (sync !== undefined) toRelays(sync);
  return {
    name,
    collections: Object.entries(collections).map(([key, definition]) =>
      toCollectionSpec(key, definition, sync !== undefined),
    ),
    durability,
    storage,
    cacheBytesMax,
    ...(scanRowsMax === undefined ? {} : { scanRowsMax }),
    ...(unstable === undefined ? {} : { unstable }),
  };
}
