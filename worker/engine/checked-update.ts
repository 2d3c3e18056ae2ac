/**
 * Updates of a collection whose schema only the page has: the engine says what the rows would become, the page checks
 * them, and the engine replaces them if nobody changed them meanwhile.
 */
import { estimateRowBytes } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { EngineApi, Progress, WriteOptions, WriteOutcome } from '../../src/protocol/engine-api.ts';
import { CHUNK_BYTES_TARGET, CHUNK_ROWS_MAX, type PlainUpdate } from '../../src/protocol/messages.ts';
import type { RowExchange } from './row-exchange.ts';

/** How often an update is tried against other writers. */
const ATTEMPTS_MAX = 8;

/** Answers what was stored; undefined when there was nothing to update. */
export async function updateChecked(
  engine: Pick<EngineApi, 'preview' | 'write'>,
  exchange: RowExchange,
  request: PlainUpdate,
  options: WriteOptions & { readonly onProgress: (progress: Progress) => void },
): Promise<WriteOutcome | undefined> {
  const { collection, type } = request;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const pairs = await engine.preview(request);
    if (pairs.length === 0) return undefined;
    const rows: { readonly before: Row; readonly after: Row }[] = [];
    while (rows.length < pairs.length) {
      const place = rows.length;
      const checked = await exchange.ask(chunkFrom(pairs, place), place);
      for (const after of checked.rows ?? []) rows.push({ before: pairs[rows.length]!.before, after });
      options.onProgress({ done: rows.length, total: pairs.length });
    }
    const { durability, value } = await engine.write({ type: 'replace', collection, rows }, options);
    if (value !== false) return { durability, value: type === 'update' ? rows[0]!.after : rows.length };
  }
  throw new StoreError('collection/contended', `${collection}: others kept changing the documents of this update.`, {
    details: { collection, attempts: ATTEMPTS_MAX },
    hint: 'Nothing was stored. Try again later, or update fewer documents at once.',
  });
}

function chunkFrom(pairs: readonly { readonly after: Row }[], from: number): readonly Row[] {
  const chunk: Row[] = [];
  for (let bytes = 0; from + chunk.length < pairs.length && chunk.length < CHUNK_ROWS_MAX; ) {
    const { after } = pairs[from + chunk.length]!;
    bytes += estimateRowBytes(after);
    if (chunk.length > 0 && bytes > CHUNK_BYTES_TARGET) break;
    chunk.push(after);
  }
  return chunk;
}
