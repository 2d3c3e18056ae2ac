/**
 * Writes of many rows, all or none. Rows are checked and encoded in slices of a few milliseconds, with the event loop
 * free in between; the engine decodes while the page encodes, and commits with the last slice. The application must
 * not change the rows until the promise settles: copying all of them at once would block the page.
 */
import { encodeRows } from '../base/codec/index.ts';
import type { Row } from '../base/row.ts';
import type { Call, RowsWriteType } from '../protocol/messages.ts';
import type { LongWriteOptions } from './call-options.ts';
import { type CollectionContext, LONG_TIMEOUT_MS } from './collection-context.ts';
import { callBack, type Pending, type Request } from './link.ts';
import { invalidDocuments, noteProblems, ROW_PROBLEMS_MAX, type RowProblem } from './row-problem.ts';

/** Time that a slice may take of the page. */
const SLICE_MS = 4;
/** Rows of the first slice, which tells how long a row takes. */
const FIRST_SLICE_ROWS = 100;
const SLICE_ROWS_MAX = 4_000;

/** Makes the row to be stored of what was given, or notes a problem. */
export type PrepareRow = (row: number, problems: RowProblem[]) => Row | undefined | Promise<Row | undefined>;

export async function writeMany(
  context: CollectionContext,
  type: RowsWriteType,
  rowCount: number,
  prepare: PrepareRow,
  options: LongWriteOptions = {},
): Promise<unknown> {
  const { link, name } = context;
  const { platform } = link;
  const isCancellable = options.signal !== undefined;
  const request: Request = { owner: context, options, timeoutMs: LONG_TIMEOUT_MS };
  const problems: RowProblem[] = [];
  let pending: Pending | undefined;
  let sliceRows = FIRST_SLICE_ROWS;
  let at = 0;
  do {
    const start = platform.now();
    const from = at;
    const slice: Row[] = [];
    const places: number[] = [];
    for (const end = Math.min(rowCount, at + sliceRows); at < end; at++) {
      const prepared = prepare(at, problems);
      const row = prepared instanceof Promise ? await prepared : prepared;
      if (row !== undefined) {
        slice.push(row);
        places.push(at);
      }
    }
    const isLast = at >= rowCount;
    let refusal: unknown;
    let isSound = problems.length === 0;
    if (isSound && isLast && pending === undefined) {
      const call: Call = ['write', 0, name, type, slice.length, options.durability, isCancellable];
      return link.request(call, { ...request, rows: slice });
    }
    if (isSound) {
      if (pending === undefined) {
        pending = link.open(['batch', 0, name, type, options.durability, isCancellable], request);
        // It may reject while this function is still busy with a slice.
        pending.promise.catch(() => {});
      }
      if (pending.state === 'settled') break;
      try {
        link.post(['rows', pending.call[1], slice.length, isLast], encodeRows(slice));
      } catch (error) {
        refusal = error;
        isSound = false;
      }
    }
    if (!isSound) {
      noteProblems(context, slice, problems, places);
      if (problems.length === 0) throw refusal;
    }
    callBack(options.onProgress, { done: at, total: rowCount });
    if (!isLast) {
      const tookMs = Math.max(platform.now() - start, 0.1);
      // Growing slowly: the first rows may be smaller than the rest.
      sliceRows = Math.ceil(Math.min(((at - from) * SLICE_MS) / tookMs, sliceRows * 2, SLICE_ROWS_MAX));
      await platform.yieldTask();
    }
  } while (at < rowCount && problems.length < ROW_PROBLEMS_MAX);
  if (problems.length === 0) return pending?.promise;
  problems.sort((a, b) => a.row - b.row);
  const error = invalidDocuments(context, problems.slice(0, ROW_PROBLEMS_MAX));
  if (pending !== undefined) link.cancel(pending, error);
  throw error;
}
