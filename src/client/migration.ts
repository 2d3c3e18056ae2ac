/**
 * The page's part of a migration: the functions. The engine sends batches of rows, each in turn, and stores what comes
 * back; it decides when to begin, and where to go on after a crash.
 */
import { assertRow, encodeRows } from '../base/codec/index.ts';
import type { Row } from '../base/row.ts';
import type { AnyDefinition } from '../schema/definition.ts';
import { type CollectionContext, NO_TIMEOUT } from './collection-context.ts';
import { checkSchema, Refusal } from './prepare-row.ts';
import { createPause } from './slices.ts';

/** Offers the functions of a collection to the engine. Whoever waits for the migration hears how it ends. */
export function offerMigration(context: CollectionContext, { migrations, version }: AnyDefinition): void {
  const { link } = context;
  const pending = link.open(['migrate', 0, context.name], { owner: context, timeoutMs: NO_TIMEOUT });
  pending.promise.catch(() => {});
  pending.onRows = async (rows, [from, to]) => {
    const results: Row[] = [];
    const pause = createPause(link.platform);
    let step = from!;
    try {
      for (let row of rows) {
        await pause();
        // The store was closed.
        if (pending.state === 'settled') return;
        for (step = from!; step < to!; ) row = (await migrations![++step]!(row)) as Row;
        if (context.schema !== undefined && step === version) row = (await checkSchema(context, row)) as Row;
        if (row instanceof Refusal) throw row.error;
        assertRow(row, 0);
        results.push(row);
      }
      link.post(['rows', pending.call[1], results.length, false], encodeRows(results));
    } catch (error) {
      link.post(['unmigrated', pending.call[1], results.length, step, String(error)]);
    }
  };
}
