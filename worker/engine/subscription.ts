/** Change events of a collection for one page, as fast as it takes them. */
import { encodeRows } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import type { StoreError } from '../../src/base/store-error.ts';
import type { Selector } from '../../src/protocol/definition.ts';
import type { ChangeEvent, EngineApi } from '../../src/protocol/engine-api.ts';
import { CHUNK_ROWS_MAX, CLONED_ROWS_MAX, type RowBatch, STREAM_WINDOW } from '../../src/protocol/messages.ts';
import { compilePredicate, parseSelector } from '../query/index.ts';
import { EVENTS_WAITING_MAX, eventsOverflow } from './port-errors.ts';

/** The same as for results, where one event has up to two rows. */
const CLONED_EVENTS_MAX = CLONED_ROWS_MAX / 2;

export type EventSink = {
  send(events: RowBatch): void;
  /** The page is too slow: it is told no more. */
  fail(error: StoreError): void;
};

/** Begins at once. `pull`: the page has taken a chunk. */
export function openSubscription(
  engine: EngineApi,
  collection: string,
  selector: Selector | undefined,
  sink: EventSink,
): { stop(): void; pull(): void } {
  const matches = selector === undefined ? () => true : compilePredicate(parseSelector(selector));
  const waiting: ChangeEvent[] = [];
  let credit = STREAM_WINDOW;
  const send = (): void => {
    while (credit > 0 && waiting.length > 0) {
      credit--;
      sink.send(toBatch(waiting.splice(0, CHUNK_ROWS_MAX)));
    }
  };
  const unsubscribe = engine.subscribe(collection, (events) => {
    for (const event of events) {
      const { row, before } = event;
      if ((row !== undefined && matches(row)) || (before !== undefined && matches(before))) waiting.push(event);
    }
    if (waiting.length <= EVENTS_WAITING_MAX) return send();
    stop();
    sink.fail(eventsOverflow(collection));
  });
  const stop = (): void => {
    unsubscribe();
    waiting.length = 0;
  };
  return {
    stop,
    pull() {
      credit++;
      send();
    },
  };
}

function toBatch(events: readonly ChangeEvent[]): RowBatch {
  const rows = events as readonly Row[];
  try {
    if (rows.length > CLONED_EVENTS_MAX) return encodeRows(rows);
  } catch {
    // A row of the deepest kind is too deep as a part of an event.
  }
  return rows;
}
