/** What each kind of connection has, and must be able to do. */
import type { Platform } from '../../src/base/platform.ts';
import type { Authorise } from '../auth/index.ts';
import type { RelayLimits } from '../limits/index.ts';
import type { Metrics, Observe } from '../observe/index.ts';
import type { RelaySocket } from './socket.ts';
import type { StoreHub } from './store-hub.ts';

export type ConnectionParts = {
  /** Counts connections, for the operator. */
  readonly id: number;
  readonly socket: RelaySocket;
  readonly platform: Platform;
  readonly limits: RelayLimits;
  readonly metrics: Metrics;
  readonly observe: Observe;
  readonly authorise: Authorise;
  hub(store: string): Promise<StoreHub>;
};

export interface Connection {
  receive(frame: Uint8Array): void;
  /** The frame that shows that the relay lives. */
  beat(): Uint8Array;
  closed(): void;
}
