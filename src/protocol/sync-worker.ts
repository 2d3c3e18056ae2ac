/**
 * What the page, the engine's worker and the sync worker of a tab say to each other, and what the engine keeps for
 * synchronisation (worker/sync).
 *
 * The page of the tab that leads starts a sync worker for each time of leading. It makes two channels: over one the sync
 * worker talks with the engine as any client does (messages.ts; its port alone may name hidden collections, and what is
 * written through it is of origin `remote`), over the other with its page. When the tab leads no more the engine closes
 * its end and the page ends the worker, which therefore keeps nothing that is not in the store.
 */
import type { Key, Row } from '../base/row.ts';
import type { ConflictSpec } from './conflict-options.ts';
import type { ConflictAnswer, ConflictQuestion } from './conflict-questions.ts';
import type { FieldTypes } from './field-types.ts';
import type { PresenceState } from './presence-state.ts';

// --- hidden collections: permanent, they are on disk ---

/** Names of collections that no application can name, list or reach in a join. */
export const HIDDEN_PREFIX = '$sync.';
/** Which rows were changed here: written by the engine, in the commit that changes them; deleted by the fold. */
export const SYNC_CHANGES = '$sync.changes';
export const SYNC_STATES = '$sync.states';
export const SYNC_OUTBOX = '$sync.outbox';
export const SYNC_META = '$sync.meta';
/** The inbox: ConflictRow. */
export const SYNC_CONFLICTS = '$sync.conflicts';
/** All have their key in `id`. They are there as soon as one collection is synchronised. */
export const HIDDEN_COLLECTIONS: readonly string[] = [
  SYNC_CHANGES,
  SYNC_STATES,
  SYNC_OUTBOX,
  SYNC_META,
  SYNC_CONFLICTS,
];

export const isHidden = (collection: string): boolean => collection.startsWith(HIDDEN_PREFIX);

/** Rows that one entry of `$sync.changes` names. */
export const CHANGED_ROWS_MAX = 1_000;

/**
 * A row of `$sync.changes`. A commit has one or more of them, one behind the other. A row that is named may be gone, or
 * never have been; its collection may be one that is synchronised no more. Such names mean nothing to be done.
 */
export type ChangesRow = {
  /** Ascending in the order of commits, and never used again. There are gaps. */
  readonly id: number;
  readonly rows: readonly (readonly [collection: string, key: Key])[];
  /** Whether it is the last of its commit. */
  readonly isWhole: boolean;
};

/** What the engine reads of a row of `$sync.outbox`; the rest is the sync worker's own. */
export type OutboxRow = {
  /** Ascending. */
  readonly id: number;
  /** Rows with changes in it: they count as not saved as long as the entry is there. */
  readonly count: number;
  /** Set when the relay has refused it for good. */
  readonly refusal?: Refusal | undefined;
};

/** A row of `$sync.conflicts`: what the application may want to know, or to decide, of a conflict that was met here. */
export type ConflictRow = {
  /** Ascending, and never used again. */
  readonly id: number;
  readonly collection: string;
  readonly key: Key;
  /** `manual`: the application is to decide. `merged`: it was decided, and something was dropped. */
  readonly kind: 'manual' | 'merged';
  /** Those that both sides have changed, or whose value was dropped. */
  readonly fields: readonly string[];
  /** The document before the own changes, with them, and as the others had it. Null: it was not there. */
  readonly base: Row | null;
  readonly local: Row | null;
  readonly remote: Row | null;
  /** What was dropped, by field; a field that is not in it was to be removed. Null: that the document was deleted. */
  readonly dropped: Row | null;
  /** In ms since 1970, by the clock of this device. */
  readonly at: number;
  /** Why the application's own function did not decide. */
  readonly reason?: Refusal | undefined;
};

export type Refusal = { readonly code: string; readonly message: string };

/** Rows of `$sync.meta` under keys that begin with it are the engine's: how far the enrolment of a collection has come. */
export const ENROLMENT_PREFIX = 'enrol:';

// --- from the page to its sync worker, as its first message, with both ports handed over ---

export type SyncStart = {
  readonly type: 'start';
  readonly store: string;
  /** The relays of the application, the preferred ones first. */
  readonly relays: readonly Relay[];
  /** Those that are synchronised. */
  readonly collections: readonly SyncedCollection[];
  /** Name of the BroadcastChannel for SyncNews. */
  readonly channel: string;
  readonly isOnline: boolean;
  /** To the engine: messages.ts. */
  readonly enginePort: MessagePort;
  /** To the page: PageMessage comes, SyncMessage goes. */
  readonly controlPort: MessagePort;
};

export type Relay = { readonly url: string; readonly priority: number };

export type SyncedCollection = {
  readonly name: string;
  /** Field of the primary key. */
  readonly key: string;
  readonly fields: FieldTypes;
  /** Default: `merge`. */
  readonly conflict?: ConflictSpec | undefined;
};

/** On the control port, from the page. */
export type PageMessage =
  /** Answers the request of that number. Without a token the relay is asked without one. */
  | { readonly type: 'token'; readonly id: number; readonly token: string | undefined }
  /** The application's function has thrown, or was too slow. */
  | { readonly type: 'no-token'; readonly id: number; readonly message: string }
  /** Answers in the order of the questions. */
  | { readonly type: 'resolved'; readonly id: number; readonly answers: readonly ConflictAnswer[] }
  /** What the browser says of the network. */
  | { readonly type: 'network'; readonly isOnline: boolean }
  /** Names of the tabs that have the store open. */
  | { readonly type: 'tabs'; readonly tabs: readonly string[] }
  /** The worker is ended soon: it may close its socket. */
  | { readonly type: 'stop' };

/** On the control port, from the sync worker. */
export type SyncMessage =
  /** Asks for a token: before each hello. */
  | { readonly type: 'token'; readonly id: number }
  /** Asks the application's functions what conflicts come to. */
  | { readonly type: 'resolve'; readonly id: number; readonly questions: readonly ConflictQuestion[] };

/** On the BroadcastChannel, which all tabs of the store and the sync worker hear. */
export type SyncNews =
  /** From the sync worker: when it starts, whenever it changes, and when it is asked. */
  | { readonly type: 'status'; readonly status: SyncStatus }
  /** What is the status, and who is here? From a tab that comes, and from a sync worker that starts. */
  | { readonly type: 'ask' }
  /** From a tab: who it is to others. Null when it goes. */
  | { readonly type: 'presence'; readonly id: number; readonly tab: string; readonly state: PresenceState | null }
  /** From the sync worker: who is here on other devices. What has changed, null for who has gone; or all. */
  | {
      readonly type: 'others';
      readonly states: readonly (readonly [id: number, state: PresenceState | null])[];
      readonly isAll: boolean;
    }
  /**
   * From a tab that has a document open, by the name that it has drawn for it: its state vector, and what was changed in
   * it and is not known to be stored, up to that number. Said again until it is answered, and now and then. `isLast`: it
   * is not open any more.
   */
  | {
      readonly type: 'document';
      readonly document: string;
      readonly collection: string;
      readonly key: Key;
      readonly number: number;
      readonly vector: Uint8Array;
      readonly update?: Uint8Array | undefined;
      readonly isLast?: true;
    }
  /**
   * From the sync worker: what these documents may not have yet. An answer names the number up to which the changes of
   * the document are stored, or why they are not.
   */
  | {
      readonly type: 'document-told';
      readonly documents: readonly string[];
      readonly update?: Uint8Array | undefined;
      readonly number?: number | undefined;
      readonly refusal?: Refusal | undefined;
    }
  /** From a tab that waits for its changes to be saved: connect and push now, whatever the delay was to be. */
  | { readonly type: 'flush' };

/** What is true of the connection now. What is not saved yet is asked of the engine, which knows it of the store. */
export type SyncStatus = {
  /** `refused`: the relay does not take this client, and it is not tried again before something changes. */
  readonly connection: 'connecting' | 'online' | 'offline' | 'refused';
  /** Why it is not online: a code and a sentence. */
  readonly reason?: Refusal | undefined;
  /** Of the relay that it is connected with, or tries. */
  readonly relay?: string | undefined;
  /** Undefined when it is through. Until then rows of one transaction may be there in part. */
  readonly firstSync?: { readonly rows: number } | undefined;
  /** When the relay last acknowledged something as durable, in ms since 1970. */
  readonly lastAckAt?: number | undefined;
  /**
   * Rows of which this device and the relay had not the same, since the tab leads: both have got what the other one had.
   * When it was last so, in ms since 1970.
   */
  readonly repaired?: { readonly rows: number; readonly lastAt: number } | undefined;
  /** Rows of others that this store refuses (JSON Schema, unique index); the first of them. */
  readonly heldAside?: readonly HeldRow[] | undefined;
};

export type HeldRow = { readonly collection: string; readonly key: Key; readonly reason: Refusal };

/** What the engine tells of what is not saved: `subscribe` of the collection PENDING_NEWS gives one such row at once, and after each change. */
export type PendingNews = {
  /** Changes of rows that the relay has not acknowledged as durable. */
  readonly pending: number;
  /** Of them, those that the relay has refused, by their entries; the first of them. */
  readonly unsynced: readonly { readonly count: number; readonly refusal: Refusal }[];
  /** Another one whenever the inbox of conflicts may have changed. Undefined: there is none. */
  readonly conflicts?: string | undefined;
};

/** No collection: name of the subscription to PendingNews. */
export const PENDING_NEWS = '$sync';
