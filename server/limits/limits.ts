/** What one client may cost the relay. Each can be set when the relay is made; these are what it has otherwise. */
export type RelayLimits = {
  /** Largest frame of a client. Twice as much is not even read. */
  readonly frameBytesMax: number;
  /** Largest transaction, all of its parts together. */
  readonly batchBytesMax: number;
  /** A reader with more than this waiting is cut off: it costs memory, and will pull again. */
  readonly waitingBytesMax: number;
  /** Of one connection, pushed and not yet stored: beyond it the relay stops reading from it. */
  readonly pendingBytesMax: number;
  readonly bytesPerSecond: number;
  readonly framesPerSecond: number;
  readonly connectionsMax: number;
  /** A row whose folded state is larger takes no more changes. */
  readonly rowStateBytesMax: number;
  /** What a store keeps of its newest batches at least, and when it trims. */
  readonly tailBytesMax: number;
};

const MIB = 1024 * 1024;

export const DEFAULT_LIMITS: RelayLimits = {
  frameBytesMax: MIB,
  batchBytesMax: 32 * MIB,
  waitingBytesMax: 8 * MIB,
  pendingBytesMax: 4 * MIB,
  bytesPerSecond: 16 * MIB,
  framesPerSecond: 5_000,
  connectionsMax: 10_000,
  rowStateBytesMax: 8 * MIB,
  tailBytesMax: 256 * MIB,
};

/** Seconds of the rate that may be used at once. */
export const BURST_SECONDS = 4;
/** Before a hello is answered. */
export const GREETING_FRAMES_MAX = 16;
export const GREETING_BYTES_MAX: number = 64 * 1024;
export const HELLO_TIMEOUT_MS = 5_000;
/** Requests of one connection that wait for their pages. */
export const REQUESTS_WAITING_MAX = 4;
/** Writers of one connection: its own run, and those whose outboxes it has inherited. */
export const OWN_WRITERS_MAX = 64;
/** A connection that has not been heard for two beats is dead. */
export const SILENT_BEATS_MAX = 2;
