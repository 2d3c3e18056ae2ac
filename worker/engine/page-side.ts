/**
 * The port of a tab's own page, whoever leads: what was asked and not answered, and what the page has of its live
 * queries, so that another leader can go on with both (T4, TAB-1).
 */
import { errorToWire, StoreError } from '../../src/base/store-error.ts';
import type { EngineOptions } from '../../src/protocol/engine-api.ts';
import { type ClientMessage, ERROR, type ServerMessage } from '../../src/protocol/messages.ts';
import { LiveMirror, Unanswered } from '../tabs/index.ts';
import type { ServedPort } from './port-server.ts';

export class PageSide {
  readonly #port: MessagePort;
  readonly #collections: EngineOptions['collections'];
  readonly #unanswered = new Unanswered();
  readonly #mirror = new LiveMirror((call) => this.#keyOf(call));

  constructor(port: MessagePort, collections: EngineOptions['collections']) {
    this.#port = port;
    this.#collections = collections;
  }

  /** The page will not be answered again below this number. */
  get done(): number {
    return this.#unanswered.done;
  }

  /** From now on the page's messages are kept until they are answered, and given to `onMessage`. */
  listen(onMessage: (message: ClientMessage) => void): void {
    this.#port.onmessage = ({ data }: MessageEvent<ClientMessage>) => {
      this.#unanswered.add(data);
      onMessage(data);
    };
  }

  /** What another tab's leader says. */
  tell(replies: ServerMessage): void {
    this.#unanswered.note(replies);
    this.#port.postMessage(this.#mirror.take(replies));
  }

  /** What is asked again of another leader; the page is told of what is not. */
  forNext(): readonly ClientMessage[] {
    const { messages, replies } = this.#unanswered.forNext();
    if (replies.length > 0) this.#port.postMessage(replies);
    this.#mirror.begin(new Set(this.#unanswered.live.keys()));
    return messages;
  }

  /** For an engine of this tab. */
  get port(): MessagePort {
    return this.#port;
  }

  /** The same, until it has told all live queries that another leader had told before. */
  mirrored(): ServedPort {
    const port = this.#port;
    const mirrored: ServedPort = {
      onmessage: null,
      postMessage: (message, transfer = []) => {
        if (this.#mirror.isWaiting) port.postMessage(this.#mirror.take(message));
        else port.postMessage(message, transfer);
      },
      close: () => port.close(),
    };
    port.onmessage = (event) => mirrored.onmessage?.(event);
    return mirrored;
  }

  /** The store cannot be opened here any more: every call is told, now and later. */
  failAll(error: StoreError): void {
    const poisoned = errorToWire(
      new StoreError('engine/poisoned', `The store could not be taken over: ${error.message}`, {
        details: { code: error.code },
        cause: error,
        hint: 'Close the store and open it again.',
      }),
    );
    const fail = (ids: readonly number[]): void => {
      if (ids.length > 0) this.#port.postMessage(ids.map((id) => [id, ERROR, poisoned]));
    };
    fail(this.#unanswered.ids);
    this.#port.onmessage = ({ data }: MessageEvent<ClientMessage>) => fail(data[0].map(([, id]) => id));
  }

  close(): void {
    this.#port.close();
  }

  /** Rows of a pipeline have what it gives them. */
  #keyOf(call: number): string {
    const live = this.#unanswered.live.get(call);
    if (live?.[0] !== 'live' || Array.isArray(live[3])) return '_id';
    return this.#collections.find(({ name }) => name === live[2])?.key ?? '_id';
  }
}
