/** What a relay is made of: the public types of `collection-store/relay`. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RelayLimits } from './limits/index.ts';
import type { Observe } from './observe/index.ts';

export type RelayOptions = {
  /** Folder of the log, made when it is missing. `memory:` keeps everything in memory, and forgets it at the end. */
  readonly data: string;
  /** What devices must know to connect. Without one everybody may. */
  readonly secret?: string | undefined;
  /**
   * Origins of the pages that may connect, such as `https://app.example`; `*` for any. Default: pages from the host that
   * they connect to. Programs that send no origin always may.
   */
  readonly origins?: readonly string[] | undefined;
  /** Path below which the relay answers, without a slash at its end. Default: the root. */
  readonly path?: string | undefined;
  readonly limits?: Partial<RelayLimits> | undefined;
  /** Told of what happens; events are plain objects for a log. Default: nobody. */
  readonly onEvent?: Observe | undefined;
};

export type RelayHealth = {
  readonly status: 'ok' | 'failed';
  readonly connections: number;
  readonly stores: number;
  readonly documents: number;
  /** Batches that are stored and not yet folded into rows. */
  readonly unfoldedBatches: number;
};

export interface Relay {
  /** Answers sockets and requests below its path on a server; others are left to their own listeners. */
  attach(server: Server): void;
  /** For servers that sort upgrades themselves. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Answers `/health` and `/metrics` below the path; false for any other request. */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean;
  health(): Promise<RelayHealth>;
  /** Figures in the text format of Prometheus. */
  metrics(): Promise<string>;
  /** Says goodbye to clients, stores what they pushed, and lets go of the folder. */
  close(): Promise<void>;
}
