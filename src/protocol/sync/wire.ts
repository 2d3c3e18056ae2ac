/**
 * Numbers of the wire, and its limits. All of them are permanent: a number is never given another meaning, and what is
 * no longer used stays listed. PROTOCOL.md says what each of them does.
 */

/** The first varint of every frame. 0 to 3 are y-websocket's own; 4 to 99 are left to it. */
export const FRAME = {
  sync: 0,
  awareness: 1,
  auth: 2,
  queryAwareness: 3,
  hello: 100,
  welcome: 101,
  push: 102,
  ack: 103,
  refuse: 104,
  pull: 105,
  deliver: 106,
  rows: 107,
  rowPage: 108,
  beat: 109,
  digest: 110,
  digests: 111,
  states: 112,
  statePage: 113,
} as const;

/**
 * Versions that this build speaks. A hello names a range, and the relay chooses the highest that both know. From 2 on there
 * are digests.
 */
export const SYNC_VERSION_MIN = 1;
export const SYNC_VERSION_MAX = 2;
export const DIGESTS_FROM_VERSION = 2;

/** Why something was refused. The set is closed: a client that meets another number is too old for its relay. */
export const REFUSAL_NUMBERS = {
  malformed: 1,
  'too-large': 2,
  unauthorised: 3,
  'client-too-old': 4,
  'relay-too-old': 5,
  'hello-expected': 6,
  'unknown-store': 7,
  'invalid-update': 8,
  'sequence-gap': 9,
  'cursor-too-old': 10,
  'cursor-ahead': 11,
  'rate-limited': 12,
  'read-only': 13,
  'quota-exceeded': 14,
  'row-too-large': 15,
  unavailable: 16,
  'epoch-changed': 17,
} as const;

export type RefusalCode = keyof typeof REFUSAL_NUMBERS;

/**
 * How a socket is closed. y-websocket does not come back after 4400 to 4499: those say that the same attempt will fail
 * again. 1012 and 1013 are the standard's "restarting" and "try again later".
 */
export const CLOSE = {
  restarting: 1012,
  tryLater: 1013,
  malformed: 4400,
  unauthorised: 4401,
  foreignOrigin: 4403,
  unknownPath: 4404,
  version: 4406,
  helloTimeout: 4408,
  tooLarge: 4413,
  invalidUpdate: 4422,
} as const;

/** Bytes of the name of a writer: drawn at random by each run of a client's engine. */
export const WRITER_BYTES = 16;
export const STORE_NAME_BYTES_MAX = 128;
export const COLLECTION_BYTES_MAX = 128;
/** As long as a key that indexes in the browser still hold comfortably, and far below what LevelDB takes. */
export const KEY_BYTES_MAX = 1024;
export const TOKEN_BYTES_MAX = 4096;
export const EPOCH_BYTES_MAX = 64;
export const REFUSAL_TEXT_BYTES_MAX = 512;

/** Changes of one push frame; more travel in further parts. A batch has no more than `BATCH_CHANGES_MAX` in all. */
export const PART_CHANGES_MAX = 10_000;
export const BATCH_CHANGES_MAX = 200_000;
/** Acknowledgements in one frame: as many as one group commit of the relay can hold. */
export const ACKS_MAX = 10_000;
/** Batches in one deliver frame, and rows in one page. Their bytes are bounded by what the client asks for. */
export const BATCHES_MAX = 20_000;
export const PAGE_ROWS_MAX = 20_000;

/** Rows of one answer with digests, and names of one request for states. */
export const DIGEST_ROWS_MAX = 1_000;

/** What a page of deliver or rows may be asked to hold, in bytes. One batch or row more than that is always sent whole. */
export const PAGE_BYTES_MAX: number = 4 * 1024 * 1024;

/** The relay says something at least as often, because y-websocket gives a silent connection up after 30 s. */
export const BEAT_MS = 15_000;

/** Names of stores and rooms: what is safe in a path, a log line and a metric. */
export const NAME_PATTERN: RegExp = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
