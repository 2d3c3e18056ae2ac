/** Changes of a collection, in commit order. Ends with its stop function or with the link. */
import type { Selector } from '../protocol/definition.ts';
import type { ChangeEvent } from '../protocol/engine-api.ts';
import { type CollectionContext, NO_TIMEOUT } from './collection-context.ts';
import { callBack } from './link.ts';

/** `onEnd` hears of an end that the application did not ask for. A name in OF_STORE is of the store as a whole. */
export function subscribe(
  context: Pick<CollectionContext, 'link' | 'name' | 'key'>,
  selector: Selector | undefined,
  listener: (event: ChangeEvent) => void,
  onEnd: (error: unknown) => void,
): () => void {
  const { link, name } = context;
  const pending = link.open(['subscribe', 0, name, selector], { owner: context, timeoutMs: NO_TIMEOUT });
  let isStopped = false;
  pending.onRows = (events) => {
    for (const event of events) if (!isStopped) callBack(listener, event as ChangeEvent);
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
