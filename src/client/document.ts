/**
 * `store.doc()`: the live document of a row, for editors. Loaded with the first one. What an editor changes goes to the
 * sync worker, which stores it as a commit of the row; what is stored of the row otherwise comes from there. The
 * application's own Yjs is handed in: two copies of Yjs in one page do not know each other's types.
 *
 * Changes leave in their order, one message at a time, and are said again until they are answered: Yjs takes each once.
 */
import { BehaviorSubject, type Observable } from 'rxjs';
import type { Platform } from '../base/platform.ts';
import type { Key } from '../base/row.ts';
import type { StoreError, StoreErrorCode } from '../base/store-error.ts';
import { drawClientId } from '../protocol/client-id.ts';
import { PLAIN_FIELDS } from '../protocol/field-types.ts';
import type { Refusal, SyncNews } from '../protocol/sync-worker.ts';
import type { Definitions } from './definitions.ts';
import type { KeyIn } from './transaction.ts';

/** What is used of a `Y.Doc`. */
export type YjsDocument = {
  clientID: number;
  on(event: 'update', listener: (update: Uint8Array, origin: unknown) => void): unknown;
  off(event: 'update', listener: (update: Uint8Array, origin: unknown) => void): unknown;
  getMap(name: string): { get(name: string): unknown };
  destroy(): void;
};

/** What is used of Yjs 13: `import * as yjs from 'yjs'`. */
export type Yjs<D extends YjsDocument = YjsDocument> = {
  readonly Doc: new (options?: { guid?: string }) => D;
  applyUpdate(document: D, update: Uint8Array, origin?: unknown): void;
  /** Of a `D`. Yjs takes something else, too. */
  encodeStateVector(document: never): Uint8Array;
  mergeUpdates(updates: Uint8Array[]): Uint8Array;
};

export type DocumentOptions<D extends YjsDocument = YjsDocument> = {
  /** The application's own copy of Yjs, or the promise of an import of it. */
  readonly yjs: Yjs<D> | Promise<Yjs<D>>;
  /** Default: 30 s, for opening. */
  readonly timeoutMs?: number | undefined;
};

/**
 * `deleted`: the row was deleted, here or elsewhere; what is written in its document waits for a row of that key. `closed`:
 * released, or the store was closed; what is written then is not taken.
 */
export type DocumentState = 'open' | 'deleted' | 'closed';

/** The document of a row, as one who has asked for it has it. */
export type LiveDocument<D extends YjsDocument = YjsDocument> = {
  readonly collection: string;
  readonly key: Key;
  /** The same for all who have asked for it in this tab. A field of type `text` is `ydoc.getText(name)`. */
  readonly ydoc: D;
  readonly state$: Observable<DocumentState>;
  /**
   * Resolves when all that was changed in it before is stored on this device, as a commit of its row. Rejects with
   * `call/timeout` (30 s; it is tried on), `sync/row-deleted`, `store/closed`, or why it cannot be stored.
   */
  saved(options?: { readonly timeoutMs?: number | undefined }): Promise<void>;
  /** Waits for `saved()`, then lets it go. With the last one of the tab the Y.Doc is destroyed. */
  release(): Promise<void>;
};

/** `store.doc`. Rejects with `sync/no-row` when there is no such row, and with `call/timeout`. */
export type OpenDocumentOf<C extends Definitions> = <Name extends keyof C & string, D extends YjsDocument>(
  collection: Name,
  key: KeyIn<C[Name]>,
  options: DocumentOptions<D>,
) => Promise<LiveDocument<D>>;

export type DocumentsParts = {
  readonly store: string;
  readonly say: (news: SyncNews) => void;
  readonly platform: Pick<Platform, 'wallClock' | 'random' | 'setTimer'>;
  readonly ErrorOfStore: typeof StoreError;
};

export type DocumentsOfTab = {
  open(collection: string, key: Key, options: DocumentOptions): Promise<LiveDocument>;
  heard(news: SyncNews): void;
  end(): void;
};

/** Documents of one tab at once. */
const DOCUMENTS_MAX = 500;
const TIMEOUT_MS = 30_000;
/** What was not answered is said again. */
const REPEAT_MS = 2_000;
/** The sync worker forgets who says nothing. */
const BEAT_MS = 20_000;
/** No state: one byte, a count of 0. */
const NOTHING: Uint8Array = Uint8Array.of(0);
const DELETED = '$deleted';

export function createDocuments(parts: DocumentsParts): DocumentsOfTab {
  const byName = new Map<string, OpenDocument>();
  const byRow = new Map<string, OpenDocument>();
  let stopBeat: (() => void) | undefined;
  const beat = (): void => {
    stopBeat = parts.platform.setTimer(() => {
      for (const document of byName.values()) document.say();
      beat();
    }, BEAT_MS);
  };
  const flush = (): void => {
    for (const document of byName.values()) document.sayAll();
  };
  globalThis.addEventListener?.('pagehide', flush);
  beat();
  return {
    async open(collection, key, options) {
      const yjs = await options?.yjs;
      if (!isYjs(yjs)) throw noYjs(parts.ErrorOfStore);
      const row = JSON.stringify([collection, key]);
      let document = byRow.get(row);
      if (document === undefined || document.isEnded || document.isDestroyed) {
        if (byName.size >= DOCUMENTS_MAX) throw tooMany(parts.ErrorOfStore);
        document = new OpenDocument({ ...parts, yjs, collection, key, gone: (ended) => forget(row, ended) });
        byRow.set(row, document);
        byName.set(document.name, document);
        document.say();
      }
      return document.handle(options.timeoutMs ?? TIMEOUT_MS);
    },
    heard(news) {
      if (news.type === 'ask') for (const document of byName.values()) document.say();
      if (news.type !== 'document-told') return;
      for (const name of news.documents) byName.get(name)?.told(news);
    },
    end() {
      globalThis.removeEventListener?.('pagehide', flush);
      stopBeat?.();
      flush();
      for (const document of [...byName.values()]) document.close(closedError(parts));
    },
  };

  function forget(row: string, document: OpenDocument): void {
    byName.delete(document.name);
    if (byRow.get(row) === document) byRow.delete(row);
  }
}

type Told = Extract<SyncNews, { readonly type: 'document-told' }>;
type Saver = { readonly number: number; readonly resolve: () => void; readonly reject: (error: unknown) => void };

/** One Y.Doc, a writer of its own (R7), for all who have asked for it in this tab. */
class OpenDocument {
  readonly name: string;
  /** By an editor: what was changed is still stored, and who asks for it later gets another one. */
  isDestroyed = false;
  readonly #parts: OpenParts;
  readonly #document: YjsDocument;
  readonly #state = new BehaviorSubject<DocumentState>('open');
  #handles = 0;
  #isLoaded = false;
  #failure: unknown;
  /** Changes that were made, and those of them that are stored. */
  #made = 0;
  #stored = 0;
  #unsent: Uint8Array[] = [];
  #sent: { readonly number: number; readonly update: Uint8Array } | undefined;
  #savers: Saver[] = [];
  #stopTimer: (() => void) | undefined;

  constructor(parts: OpenParts) {
    const { yjs, platform, collection, key } = parts;
    this.#parts = parts;
    this.name = drawName(platform);
    this.#document = new yjs.Doc({ guid: JSON.stringify([collection, key]) });
    this.#document.clientID = drawClientId(platform);
    this.#document.on('update', this.#updated);
    // Editors destroy what they have been given.
    const destroy = this.#document.destroy.bind(this.#document);
    this.#document.destroy = () => {
      destroy();
      this.#handles = 0;
      this.isDestroyed = true;
      this.#letGo();
    };
  }

  get isEnded(): boolean {
    return this.#state.value === 'closed';
  }

  async handle(timeoutMs: number): Promise<LiveDocument> {
    this.#handles += 1;
    const { collection, key } = this.#parts;
    try {
      // The first answer says that all of nothing is stored.
      if (!this.#isLoaded) await this.#settled(0, timeoutMs, 'doc');
    } catch (error) {
      this.#handles -= 1;
      if (this.#handles === 0) this.close(error);
      throw error;
    }
    let isReleased = false;
    const saved = (ms: number): Promise<void> => this.#saved(ms);
    return {
      collection,
      key,
      ydoc: this.#document,
      state$: this.#state.asObservable(),
      saved: (options) => saved(options?.timeoutMs ?? TIMEOUT_MS),
      release: async () => {
        if (isReleased) return;
        isReleased = true;
        await saved(TIMEOUT_MS).catch((error) => {
          isReleased = this.isEnded || this.#state.value === 'deleted';
          if (!isReleased) throw error;
        });
        this.#handles -= 1;
        this.#letGo();
      },
    };
  }

  readonly #updated = (update: Uint8Array, origin: unknown): void => {
    if (origin === this) return;
    this.#made += 1;
    this.#unsent.push(update);
    if (this.#sent === undefined) this.say();
  };

  /** What is not stored, or just that it is open. */
  say(): void {
    if (this.isEnded) return;
    this.#sent ??= this.#gather();
    const { yjs, say, platform, collection, key } = this.#parts;
    const { number, update } = this.#sent ?? { number: this.#stored, update: undefined };
    const vector = this.#isLoaded ? vectorOf(yjs, this.#document) : NOTHING;
    say({ type: 'document', document: this.name, collection, key, number, vector, update });
    this.#stopTimer?.();
    this.#stopTimer =
      this.#isLoaded && update === undefined ? undefined : platform.setTimer(() => this.say(), REPEAT_MS);
  }

  /** Of a page that may end: without waiting for the answer to what was said before. */
  sayAll(): void {
    if (this.#unsent.length === 0) return;
    const sent = this.#sent;
    const next = this.#gather()!;
    const updates = sent === undefined ? [next.update] : [sent.update, next.update];
    this.#sent = { number: next.number, update: this.#parts.yjs.mergeUpdates(updates) };
    this.say();
  }

  #gather(): { readonly number: number; readonly update: Uint8Array } | undefined {
    if (this.#unsent.length === 0) return undefined;
    const updates = this.#unsent;
    this.#unsent = [];
    return { number: this.#made, update: updates.length === 1 ? updates[0]! : this.#parts.yjs.mergeUpdates(updates) };
  }

  told({ update, number, refusal }: Told): void {
    if (this.isEnded) return;
    if (refusal !== undefined) return this.#refused(refusal);
    if (update !== undefined) this.#parts.yjs.applyUpdate(this.#document, update, this);
    const isDeleted = this.#document.getMap(PLAIN_FIELDS).get(DELETED) === true;
    if (isDeleted !== (this.#state.value === 'deleted')) this.#state.next(isDeleted ? 'deleted' : 'open');
    if (number === undefined) return;
    this.#isLoaded = true;
    this.#stored = Math.max(this.#stored, number);
    this.#settleSavers();
    if (this.#sent !== undefined && this.#sent.number > this.#stored) return;
    this.#sent = undefined;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    if (this.#unsent.length > 0) this.say();
    else this.#letGo();
  }

  #refused({ code, message }: Refusal): void {
    const { ErrorOfStore, collection, key } = this.#parts;
    const error = new ErrorOfStore(code as StoreErrorCode, message, { details: { collection, key } });
    // What cannot be stored now cannot be stored later.
    this.close(error);
  }

  #settleSavers(): void {
    const done = this.#savers.filter(({ number }) => number <= this.#stored);
    this.#savers = this.#savers.filter((saver) => !done.includes(saver));
    for (const { resolve } of done) resolve();
  }

  async #saved(timeoutMs: number): Promise<void> {
    if (this.isEnded) throw this.#failure;
    if (this.#made > this.#stored) await this.#settled(this.#made, timeoutMs, 'saved');
    if (this.#state.value !== 'deleted' || this.#made === 0) return;
    const { ErrorOfStore, collection, key } = this.#parts;
    throw new ErrorOfStore('sync/row-deleted', `The row ${JSON.stringify(key)} of ${collection} was deleted.`, {
      details: { collection, key },
      hint: 'What was written in its document is shown when there is a row of that key again.',
    });
  }

  #settled(number: number, timeoutMs: number, call: 'doc' | 'saved'): Promise<void> {
    if (this.isEnded) return Promise.reject(this.#failure);
    const { ErrorOfStore, collection, key, platform } = this.#parts;
    return new Promise((resolve, reject) => {
      const stop = platform.setTimer(() => {
        this.#savers = this.#savers.filter((each) => each !== saver);
        const text = `${call} was not answered within ${timeoutMs} ms.`;
        const hint = call === 'saved' ? 'It is tried on: what was changed is not stored yet.' : undefined;
        reject(new ErrorOfStore('call/timeout', text, { details: { collection, key, timeoutMs }, hint }));
      }, timeoutMs);
      const saver: Saver = {
        number,
        resolve: () => {
          stop();
          resolve();
        },
        reject: (error) => {
          stop();
          reject(error);
        },
      };
      this.#savers.push(saver);
    });
  }

  /** When nobody has it any more and all is stored. */
  #letGo(): void {
    if (this.#handles > 0 || this.#made > this.#stored || this.isEnded || !this.#isLoaded) return;
    const { yjs, say, collection, key } = this.#parts;
    const vector = vectorOf(yjs, this.#document);
    const said = { type: 'document', document: this.name, collection, key, number: this.#stored, vector } as const;
    say({ ...said, isLast: true });
    this.close(closedError(this.#parts));
  }

  close(why: unknown): void {
    if (this.isEnded) return;
    this.#failure = why;
    this.#state.next('closed');
    this.#state.complete();
    this.#stopTimer?.();
    this.#document.off('update', this.#updated);
    for (const { reject } of this.#savers.splice(0)) reject(why);
    this.#parts.gone(this);
    if (this.#handles === 0 && !this.isDestroyed) this.#document.destroy();
  }
}

type OpenParts = DocumentsParts & {
  readonly yjs: Yjs;
  readonly collection: string;
  readonly key: Key;
  readonly gone: (document: OpenDocument) => void;
};

const vectorOf = (yjs: Yjs, document: YjsDocument): Uint8Array => yjs.encodeStateVector(document as never);

const isYjs = (yjs: unknown): yjs is Yjs =>
  typeof yjs === 'object' &&
  yjs !== null &&
  ['Doc', 'applyUpdate', 'encodeStateVector', 'mergeUpdates'].every(
    (name) => typeof (yjs as Record<string, unknown>)[name] === 'function',
  );

function drawName({ random }: Pick<Platform, 'random'>): string {
  const bytes = new Uint8Array(16);
  random(bytes);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const noYjs = (ErrorOfStore: typeof StoreError): StoreError =>
  new ErrorOfStore('sync/no-yjs', 'store.doc() was given no Yjs.', {
    hint: "Give it the one of the application: store.doc(collection, key, { yjs: import('yjs') }).",
  });

const tooMany = (ErrorOfStore: typeof StoreError): StoreError =>
  new ErrorOfStore('sync/too-many-documents', `${DOCUMENTS_MAX} documents are open in this tab.`, {
    hint: 'release() those that are not needed any more.',
  });

const closedError = ({ ErrorOfStore, store }: Pick<DocumentsParts, 'ErrorOfStore' | 'store'>): StoreError =>
  new ErrorOfStore('store/closed', `The document was released, or store ${store} is closed.`, { details: { store } });
