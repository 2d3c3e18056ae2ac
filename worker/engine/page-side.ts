/**
 * The port of a tab's own page, whoever leads: what was asked and not answered, and what the page has of its live
 * queries, so that another leader can go on with both (T4, TAB-1).
 */
import { errorToWire, type StoreError } from '../../src/base/store-error.ts';
import type { EngineApi, EngineOptions } from '../../src/protocol/engine-api.ts';
import { type ClientMessage, ERROR, LIVE_WINDOW, OK, type ServerMessage } from '../../src/protocol/messages.ts';
import { LiveMirror, Unanswered } from '../tabs/index.ts';
import { PortServer, type ServedPort, type ServeOptions } from './port-server.ts';

export class PageSide {
  readonly #port: MessagePort;
  readonly #collections: EngineOptions['collections'];
  readonly #unanswered = new Unanswered();
  readonly #mirror = new LiveMirror((call) => this.#keyOf(call));
  /** Of an engine in this tab. */
  #server: PortServer | undefined;

  constructor(port: MessagePort, collections: EngineOptions['collections']) {
    this.#port = port;
    this.#collections = collections;
  }

  /** Answers of calls below this number are not needed any more. */
  get done(): number {
    return this.#unanswered.done;
  }

  /** Whether calls are open that a leader may have done. */
  get hasWrites(): boolean {
    return this.#unanswered.hasWrites;
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

  /** An engine of this tab answers from now on, also what was asked of others. `client` names the tab. */
  serve(engine: EngineApi, client: string, watchTabs: ServeOptions['watchTabs']): void {
    const port = this.#port;
    const served: ServedPort = {
      onmessage: null,
      postMessage: (replies, transfer = []) => {
        if (this.#served !== served) return this.#tellDone(replies);
        this.#unanswered.note(replies);
        if (!this.#mirror.isWaiting) return port.postMessage(replies, transfer);
        port.postMessage(this.#mirror.take(replies));
        // From here on the engine knows what the page has.
        if (!this.#mirror.isWaiting) this.#mirror.clear();
      },
      close: () => undefined,
    };
    this.#served = served;
    const backlog = this.forNext();
    port.onmessage = (event: MessageEvent<ClientMessage>) => {
      this.#unanswered.add(event.data);
      engine.forgetAnswered(client, this.#unanswered.done);
      served.onmessage?.(event);
    };
    this.#server = new PortServer(engine, served, { client, isOwn: true, backlog, watchTabs });
  }

  #served: ServedPort | undefined;

  /** The engine of this tab leads no more: what is open waits for another leader. */
  leave(): void {
    if (this.#server === undefined) return;
    this.#mirror.seed(this.#server.leaveLive());
    this.#served = undefined;
    this.#server.stop();
    this.#server = undefined;
  }

  /**
   * Of an engine that leads no more. What it has done is done, and must be told: the log keeps the answers of its last
   * group alone. What failed with it is asked of another leader.
   */
  #tellDone(replies: ServerMessage): void {
    const done = replies.filter(([, kind]) => kind === OK);
    if (done.length === 0) return;
    this.#unanswered.note(done);
    this.#port.postMessage(done);
  }

  /** Nobody can go on: the page is told, and every call, now and later. */
  failAll(error: StoreError): void {
    const wire = errorToWire(error);
    const fail = (ids: readonly number[]): void => {
      if (ids.length > 0) this.#port.postMessage(ids.map((id) => [id, ERROR, wire]));
    };
    fail([LIVE_WINDOW, ...this.#unanswered.ids]);
    this.#port.onmessage = ({ data }: MessageEvent<ClientMessage>) => fail(data[0].map(([, id]) => id));
  }

  /** With the answers that are ready. */
  close(): void {
    this.#server?.stop();
    this.#port.close();
  }

  /** Rows of a pipeline have what it gives them. */
  #keyOf(call: number): string {
    const live = this.#unanswered.live.get(call);
    if (live?.[0] !== 'live' || Array.isArray(live[3])) return '_id';
    return this.#collections.find(({ name }) => name === live[2])?.key ?? '_id';
  }
}
