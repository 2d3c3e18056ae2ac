/** One tab of the simulated browser: the page's link and collection, and its worker's share of the store. */
import type { Platform } from '../../src/base/platform.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { Collection } from '../../src/client/collection.ts';
import type { Definitions } from '../../src/client/definitions.ts';
import { Link } from '../../src/client/link.ts';
import { type Transaction, transact } from '../../src/client/transaction.ts';
import type { CollectionSpec } from '../../src/protocol/definition.ts';
import type { AnyRow } from '../../src/schema/definition.ts';
import { type Engine, openEngineOn, openSharedStore, type ServedStore } from '../../worker/engine/index.ts';
import { createMemoryStorage, type MemoryImage, withTail } from '../../worker/storage/index.ts';
import { collection, engineOptions, index } from '../engine/engine-fixture.ts';
import { interceptStorage } from '../fakes/intercepted-storage.ts';
import { createMemoryTailFolder, type TailImage } from '../fakes/memory-tail-folder.ts';
import type { Life, World } from './world.ts';

export type Origin = { readonly image: MemoryImage; readonly tails: TailImage; readonly world: World };

type AnyTransaction = Transaction<Definitions>;

export type SimTab = {
  readonly name: string;
  readonly life: Life;
  readonly rows: Collection<AnyRow>;
  readonly transaction: (run: (rows: Collection<AnyRow>, tx: AnyTransaction) => Promise<void>) => Promise<void>;
  readonly store: ServedStore;
  readonly link: Link;
  /** What the page was told without having asked. */
  readonly told: readonly StoreError[];
  /** Of the leader: takes the log up into pages. */
  readonly checkpoint: () => Promise<void>;
};

/** Random names and keys, from the world's seed. */
function platformOf(world: World, life: Life): Platform {
  return {
    wallClock: () => world.wallMs + world.nowMs,
    now: () => world.nowMs,
    random: (bytes) => {
      for (let at = 0; at < bytes.length; at++) bytes[at] = world.below(256);
    },
    setTimer: (run, ms) => world.after(ms, life, run),
    yieldTask: () => new Promise((resolve) => world.after(0, life, resolve)),
  };
}

/** `collections`: what the tab's application defines. */
export async function openTab(
  origin: Origin,
  name: string,
  life: Life = { isDead: false },
  collections: readonly CollectionSpec[] = [collection('rows', [index('n')])],
): Promise<SimTab> {
  const { world, image, tails } = origin;
  const platform = platformOf(world, life);
  const [page, worker] = world.portsFor(life);
  const options = engineOptions(collections, { storage: ['indexeddb'], name: 'sim' });
  let engine: Engine | undefined;
  const store = await openSharedStore({
    options,
    port: worker,
    tab: name,
    locks: world.locksFor(life),
    openChannel: world.channelsFor(life),
    setTimer: platform.setTimer,
    now: platform.now,
    openEngine: async ({ holding, isLeased }) => {
      const hold = await holding;
      // A request takes a moment, and one of a dead tab is never answered.
      const storage = interceptStorage(createMemoryStorage(image), (operation, run) =>
        life.isDead
          ? new Promise(() => undefined)
          : new Promise((resolve, reject) => {
              if (operation === 'log.append' && world.chance(world.faults.unknown ?? 0)) {
                if (world.chance(0.5)) run().catch(() => undefined);
                return void world.after(1, life, () => reject(new StoreError('storage/outcome-unknown', 'Cut off.')));
              }
              const done = run();
              done.catch(() => undefined);
              world.after(world.random() * 2, life, () => void done.then(resolve, reject));
            }),
      );
      const folder = createMemoryTailFolder(tails, {
        isDead: () => life.isDead,
        isTorn: () => {
          if (world.randomOfMachine() >= (world.faults.torn ?? 0)) return false;
          world.tornWrites++;
          if (world.randomOfMachine() < 0.5) world.kill(life);
          return true;
        },
      });
      engine = await openEngineOn(
        withTail(storage, {
          folder: Promise.resolve(folder),
          createName: () => `tail-${world.below(2 ** 30)}`,
          now: platform.now,
          isLeased,
        }),
        options,
        {
          now: platform.now,
          setTimer: platform.setTimer,
          yieldTask: platform.yieldTask,
          indexedDB: undefined,
          locks: undefined,
          streams: { CompressionStream, DecompressionStream },
        },
        hold,
      );
      return engine;
    },
  });
  const told: StoreError[] = [];
  const link = new Link(page, platform, (error) => told.push(error));
  let keys = 0;
  const context = { name: 'rows', key: 'id', schema: undefined, link, createKey: () => `${name}-${++keys}` };
  const collectionOf = (tx?: number): Collection<AnyRow> =>
    new Collection<AnyRow>({ ...context, tx } as ConstructorParameters<typeof Collection>[0]);
  const bind = (tx?: number): Map<string, Collection> => new Map([['rows', collectionOf(tx) as unknown as Collection]]);
  const rows = collectionOf();
  const transaction: SimTab['transaction'] = (run) =>
    transact(bind, link.request.bind(link), platform, platform.setTimer, StoreError, (tx) =>
      run(tx.collection('rows') as unknown as Collection<AnyRow>, tx),
    );
  return { name, life, rows, transaction, store, link, told, checkpoint: async () => engine?.checkpoint() };
}
