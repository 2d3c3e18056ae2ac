import type { DurabilityGiven } from './engine-api.ts';

export type StoreStatus = {
  /** `degraded`: works, with less durability than was asked for. `poisoned`: reopen it; calls are refused. */
  readonly state: 'opening' | 'open' | 'degraded' | 'poisoned' | 'closed';
  /** Why it is not `open`: codes and sentences. */
  readonly reasons: readonly string[];
  /** What a write is given now. */
  readonly durability: DurabilityGiven;
};
