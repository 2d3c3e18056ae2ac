/** Changes of a collection, in commit order. Ends with its stop function or with the link. */
import { Observable } from 'rxjs';
import type { Selector } from '../protocol/definition.ts';
import type { ChangeEvent } from '../protocol/engine-api.ts';
import { type CollectionContext, NO_TIMEOUT } from './collection-context.ts';
import { callBack } from './link.ts';
import { endOf } from './live-query.ts';

/** The same as an Observable. Of a name that no collection has: what the engine tells of the whole store. */
export const newsOf = <T>(context: Pick<CollectionContext, 'link' | 'name' | 'key'>): Observable<T> =>
  new Observable((subscriber) =>
    subscribe(context, undefined, (news) => subscriber.next(news as T), endOf(subscriber)),
  );

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
