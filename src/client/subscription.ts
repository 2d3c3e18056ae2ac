/** Changes of a collection, in commit order. Ends with its stop function or with the link. */
import { decodeRows } from '../base/codec/index.ts';
import type { Row } from '../base/row.ts';
import type { Selector } from '../protocol/definition.ts';
import type { ChangeEvent } from '../protocol/engine-api.ts';
import type { EventBatch } from '../protocol/messages.ts';
import { type CollectionContext, NO_TIMEOUT } from './collection-context.ts';
import { callBack } from './link.ts';

/** `onEnd` hears of an end that the application did not ask for. */
export function subscribe(
  context: CollectionContext,
  selector: Selector | undefined,
  listener: (event: ChangeEvent) => void,
  onEnd: (error: unknown) => void,
): () => void {
  const { link, name } = context;
  const pending = link.open(['subscribe', 0, name, selector], { owner: context, timeoutMs: NO_TIMEOUT });
  let isStopped = false;
  pending.onEvents = (batch) => {
    for (const event of toEvents(batch)) if (!isStopped) callBack(listener, event);
    link.pull(pending);
  };
  pending.promise.catch((error) => {
    if (!isStopped) onEnd(error);
  });
  return () => {
    isStopped = true;
    link.cancel(pending, undefined);
  };
}

const TYPES = { c: 'create', u: 'update', d: 'delete' } as const;

function toEvents({ types, keys, rows }: EventBatch): ChangeEvent[] {
  const all = (rows instanceof Uint8Array ? decodeRows(rows) : rows) as readonly Row[];
  let at = 0;
  return keys.map((key, index) => {
    const letter = types[index]!;
    const type = TYPES[letter.toLowerCase() as keyof typeof TYPES];
    const row = type === 'delete' ? undefined : all[at++];
    const before = type === 'create' ? undefined : all[at++];
    return { type, key, row, before, origin: letter < 'a' ? 'remote' : 'local' };
  });
}
