/** Rows that come in chunks. The engine sends a chunk more for each one taken, so neither side piles them up. */
import type { Row } from '../base/row.ts';
import type { Call } from '../protocol/messages.ts';
import { type CollectionContext, NO_TIMEOUT } from './collection-context.ts';
import type { RequestOptions } from './link.ts';

/** All rows. `undefined` stands where the engine has none (`getMany`). */
export function collectRows(
  context: CollectionContext,
  call: Call,
  options: RequestOptions | undefined,
  timeoutMs?: number,
): Promise<(Row | undefined)[]> {
  const { link } = context;
  const all: (Row | undefined)[] = [];
  const pending = link.open(call, { owner: context, options, timeoutMs, answer: all });
  pending.onRows = (chunk, absent) => {
    for (const row of withAbsent(chunk, absent)) all.push(row);
    link.pull(pending);
  };
  return pending.promise as Promise<typeof all>;
}

/** Rows as they come; a chunk is asked for when one has been used up. Leaving the loop ends the stream. */
export async function* streamRows(
  context: CollectionContext,
  call: Call,
  options: RequestOptions | undefined,
): AsyncGenerator<Row, void, undefined> {
  const { link } = context;
  const chunks: (readonly (Row | undefined)[])[] = [];
  let wake: (() => void) | undefined;
  const pending = link.open(call, { owner: context, options });
  pending.onRows = (chunk, absent) => {
    chunks.push(withAbsent(chunk, absent));
    // The engine has done its part; how long the application takes for a chunk is its own affair.
    pending.deadline = NO_TIMEOUT;
    wake?.();
  };
  const end = pending.promise.then(() => {});
  end.catch(() => {});
  try {
    for (;;) {
      const chunk = chunks.shift();
      if (chunk !== undefined) {
        yield* chunk as readonly Row[];
        link.pull(pending);
      } else if (pending.state === 'settled') return await end;
      else await Promise.race([end, new Promise<void>((resolve) => (wake = resolve))]);
    }
  } finally {
    link.cancel(pending, undefined);
  }
}

/** In place: the rows have just come. */
function withAbsent(rows: readonly (Row | undefined)[], absent: readonly number[]): readonly (Row | undefined)[] {
  for (const place of absent) (rows as (Row | undefined)[]).splice(place, 0, undefined);
  return rows;
}
