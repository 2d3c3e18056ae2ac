/**
 * Updates of a collection whose schema only the page has: the engine says what the rows would become, the page checks
 * them, and the engine replaces them if nobody changed them meanwhile.
 */
import type { Row } from '../base/row.ts';
import { StoreError } from '../base/store-error.ts';
import type { PlainUpdate } from '../protocol/messages.ts';
import { writeMany } from './bulk-write.ts';
import type { LongWriteOptions } from './call-options.ts';
import type { CollectionContext } from './collection-context.ts';
import { checkSchema, Refusal } from './prepare-row.ts';
import { invalidDocuments, ROW_PROBLEMS_MAX, type RowProblem } from './row-problem.ts';
import { collectRows } from './row-stream.ts';

/** How often an update is tried against other writers. */
const ATTEMPTS_MAX = 8;
/** Time that checking takes of the page at a stretch. */
const CHECK_SLICE_MS = 4;

/** The rows as they are now. None when there was nothing to update. */
export async function updateChecked(
  context: CollectionContext,
  request: PlainUpdate,
  options: LongWriteOptions | undefined,
  timeoutMs: number | undefined,
): Promise<Row[]> {
  const { link, name } = context;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const pairs = await collectRows(context, ['preview', 0, name, request], options, timeoutMs);
    if (pairs.length === 0) return [];
    const problems: RowProblem[] = [];
    const afters: Row[] = [];
    let yieldAt = link.platform.now() + CHECK_SLICE_MS;
    for (let at = 1; at < pairs.length && problems.length < ROW_PROBLEMS_MAX; at += 2) {
      const verdict = checkSchema(context, pairs[at]!);
      const checked = verdict instanceof Promise ? await verdict : verdict;
      if (checked instanceof Refusal) {
        if (request.type === 'update') throw checked.error;
        problems.push({ row: (at - 1) / 2, key: checked.key, issues: checked.issues });
      } else {
        pairs[at] = checked;
        afters.push(checked);
      }
      if (link.platform.now() > yieldAt) {
        await link.platform.yieldTask();
        yieldAt = link.platform.now() + CHECK_SLICE_MS;
      }
    }
    if (problems.length > 0) throw invalidDocuments(context, problems);
    if (await writeMany(context, 'replace', pairs.length, (at) => pairs[at], options)) return afters;
  }
  throw new StoreError('collection/contended', `${name}: others kept changing the documents of this update.`, {
    details: { collection: name, attempts: ATTEMPTS_MAX },
    hint: 'Nothing was stored. Try again later, or update fewer documents at once.',
  });
}
