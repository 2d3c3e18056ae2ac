/** Clients whose steps are taken in a random order from a seed, with an engine whose appends come late, or fail. */

import type { CollectionSpec } from '../../src/protocol/definition.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { createMemoryStorage } from '../../worker/storage/index.ts';
import { createMemoryImage, openOnStorage } from '../engine/engine-fixture.ts';
import { createHeldStorage, type HeldStorage } from '../engine/held-storage.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';

export type Random = {
  /** Below a limit. */
  below(limit: number): number;
  chance(share: number): boolean;
  pick<T>(from: readonly T[]): T;
};

export function randomOf(seed: number): Random {
  const next = createSeededRandom(seed);
  const below = (limit: number): number => Math.floor(next() * limit);
  return { below, chance: (share) => next() < share, pick: (from) => from[below(from.length)]! };
}

/** One client: each call takes its next step, or none while it waits, and answers whether there are more. Must not wait for others. */
export type Client = () => Promise<boolean>;

export type Stage = { readonly engine: Engine; readonly storage: HeldStorage; readonly random: Random };

export async function openStage(seed: number, collections: readonly CollectionSpec[]): Promise<Stage> {
  const storage = createHeldStorage(createMemoryStorage(createMemoryImage()));
  return { engine: await openOnStorage(storage, collections), storage, random: randomOf(seed) };
}

/** Takes steps of all clients until none has more. `createClient` makes a new one for each that has ended. */
export async function takeSteps(
  { storage, random }: Stage,
  options: { readonly clients: number; readonly steps: number; readonly failures: boolean },
  createClient: () => Client,
): Promise<void> {
  const clients = Array.from({ length: options.clients }, createClient);
  for (let step = 0; step < options.steps; step += 1) {
    const at = random.below(clients.length);
    if (!(await clients[at]!())) clients[at] = createClient();
    const dice = random.below(100);
    if (dice < 10) storage.hold('log.append');
    else if (dice < 25) await storage.release();
    else if (dice < 45 && storage.waiting > 0) await storage.releaseOldest();
    else if (dice < 48 && options.failures && storage.waiting > 0) await storage.failOldest('storage/quota');
    if (step % 4 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await storage.release();
  for (let left: readonly Client[] = clients; left.length > 0; ) {
    const open: Client[] = [];
    for (const client of left) if (await client()) open.push(client);
    await new Promise<void>((resolve) => setImmediate(resolve));
    left = open;
  }
  await storage.release();
  await new Promise<void>((resolve) => setTimeout(resolve, 5));
}
