/**
 * The live queries of one page. One window serves all of them: when the page has taken a message, the next one carries
 * what is new of every query since (LIVE-9). So a page that is busy gets fewer messages, not more of them later, and
 * queries that see the same row carry it once.
 *
 * Bounded: LIVE_MESSAGES_MAX messages under way, each with so many rows as a page decodes in about a millisecond.
 */
import { encodeRows, estimateRowBytes } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import type { EngineApi } from '../../src/protocol/engine-api.ts';
import type { LiveRequest, LiveSubscription, RowsUpdate } from '../../src/protocol/live.ts';
import {
  CHUNK_BYTES_TARGET,
  CHUNK_ROWS_MAX,
  CLONED_ROWS_MAX,
  LIVE,
  LIVE_WINDOW,
  type LiveReply,
  type Reply,
} from '../../src/protocol/messages.ts';

/** Two, so that the next one is on its way while the page works on one. */
const LIVE_MESSAGES_MAX = 2;

type Open = {
  readonly id: number;
  readonly subscription: LiveSubscription;
  /** A step that was begun, and how many of its rows were sent. */
  begun: RowsUpdate | undefined;
  sent: number;
};

/** Sends a reply, together with others; or alone with bytes that move to the page. */
type Send = (reply: Reply, bytes: Uint8Array | undefined) => void;

export class LivePort {
  readonly #engine: EngineApi;
  readonly #send: Send;
  /** Queries with something new, in the order in which they are served. */
  readonly #waiting = new Set<Open>();
  readonly #opens = new Set<Open>();
  #credit = LIVE_MESSAGES_MAX;
  #isScheduled = false;

  constructor(engine: EngineApi, send: Send) {
    this.#engine = engine;
    this.#send = send;
  }

  /** Throws for a wrong query. Answers a function that ends it. */
  open(id: number, request: LiveRequest, onError: (error: unknown) => void): () => void {
    const subscription = this.#engine.live(request, {
      onChange: () => {
        this.#waiting.add(open);
        this.#schedule();
      },
      onError: (error) => {
        this.#waiting.delete(open);
        this.#opens.delete(open);
        onError(error);
      },
    });
    const open: Open = { id, subscription, begun: undefined, sent: 0 };
    this.#opens.add(open);
    return () => {
      this.#waiting.delete(open);
      this.#opens.delete(open);
      subscription.close();
    };
  }

  /**
   * For another leader, which goes on from what the page has: tells the rest of what was begun, and answers the rows of
   * each query, by its call. Nothing is told after that.
   */
  leave(): ReadonlyMap<number, readonly Row[]> {
    this.#credit = 0;
    const rowsById = new Map<number, readonly Row[]>();
    for (const open of this.#opens) {
      for (let isLeft = open.begun !== undefined; isLeft; ) {
        const message = new LiveMessage();
        message.add(open);
        isLeft = open.begun !== undefined;
        this.#send(...message.toReply());
      }
      const { taken } = open.subscription;
      if (taken !== undefined) rowsById.set(open.id, taken);
    }
    return rowsById;
  }

  /** The page has taken a message. */
  pull(): void {
    this.#credit += 1;
    this.#pump();
  }

  /** Queries are told of one commit one after the other; they leave together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#credit > 0 && this.#waiting.size > 0) {
      const message = new LiveMessage();
      for (const open of [...this.#waiting]) {
        if (message.isFull) break;
        this.#waiting.delete(open);
        // What is not finished goes to the end: a large result must not hold up the others.
        if (message.add(open)) this.#waiting.add(open);
      }
      if (message.isEmpty) return;
      this.#credit -= 1;
      const [reply, bytes] = message.toReply();
      this.#send(reply, bytes);
    }
  }
}

class LiveMessage {
  readonly #placeByRow = new Map<Row, number>();
  readonly #updates: LiveReply[] = [];
  #bytes = 0;
  #places = 0;

  get isEmpty(): boolean {
    return this.#updates.length === 0;
  }

  get isFull(): boolean {
    return this.#places >= CHUNK_ROWS_MAX || this.#bytes >= CHUNK_BYTES_TARGET;
  }

  /** Adds what is new of a query, as far as there is room. Answers whether something is left. */
  add(open: Open): boolean {
    if (open.begun === undefined) {
      const update = open.subscription.take();
      if (update === undefined) return false;
      if ('count' in update) {
        this.#updates.push([open.id, update.count]);
        return false;
      }
      open.begun = update;
      open.sent = 0;
    }
    const { rows, script } = open.begun;
    const places: number[] = [];
    while (open.sent < rows.length && !this.isFull) places.push(this.#placeOf(rows[open.sent++]!));
    if (open.sent < rows.length) {
      this.#updates.push([open.id, places]);
      return true;
    }
    open.begun = undefined;
    this.#updates.push([open.id, places, script]);
    // While it took several messages, there may have come more.
    return open.sent > places.length;
  }

  #placeOf(row: Row): number {
    this.#places += 1;
    let place = this.#placeByRow.get(row);
    if (place === undefined) {
      place = this.#placeByRow.size;
      this.#placeByRow.set(row, place);
      this.#bytes += estimateRowBytes(row);
    }
    return place;
  }

  toReply(): readonly [reply: Reply, bytes: Uint8Array | undefined] {
    const rows = [...this.#placeByRow.keys()];
    if (rows.length <= CLONED_ROWS_MAX) return [[LIVE_WINDOW, LIVE, rows, this.#updates], undefined];
    const bytes = encodeRows(rows);
    return [[LIVE_WINDOW, LIVE, bytes, this.#updates], bytes];
  }
}
