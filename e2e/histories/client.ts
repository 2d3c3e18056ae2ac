/**
 * What runs in each page of a history: clients that append to lists and read them, in transactions and without, and tell
 * what they were answered in lines of the console. Lists are of two kinds: an array in a document, and the rows of a group,
 * found by an index.
 *
 * `runClients` crosses to the page as text: it must not use anything of this module but types.
 */
import type { AnyRow, Collection } from '../../src/index.ts';
import type { Operation } from '../../test/history/history.ts';

export const DOCUMENTS: readonly string[] = ['d0', 'd1', 'd2'];
export const GROUPS: readonly string[] = ['g0', 'g1', 'g2'];
/** Values tell their writer: tab, transaction of the tab, place in it. */
export const VALUES_PER_TAB = 1_000_000;
export const VALUES_PER_TRANSACTION = 10;

export type Told =
  | { readonly type: 'begin'; readonly id: string }
  | {
      readonly type: 'end';
      readonly id: string;
      readonly outcome: 'committed' | 'aborted' | 'unknown';
      readonly operations: readonly Operation[];
      readonly code: string | undefined;
    };

export type ClientOptions = {
  readonly tab: number;
  readonly seed: number;
  readonly clients: number;
  readonly documents: readonly string[];
  readonly groups: readonly string[];
};

type HistoryStore = {
  readonly lists: Collection<AnyRow>;
  readonly entries: Collection<AnyRow>;
  transaction<T>(
    run: (tx: Pick<HistoryStore, 'lists' | 'entries'>) => Promise<T>,
    options: { readonly retries: number },
  ): Promise<T>;
};

export type HistoryGlobals = { readonly store: HistoryStore; stopClients(): Promise<void> };

export function runClients({ tab, seed, clients, documents, groups }: ClientOptions): void {
  const { store } = globalThis as unknown as HistoryGlobals;
  const keys = [...documents, ...groups];
  let bits = seed;
  const random = (): number => {
    // mulberry32
    bits = (bits + 0x6d2b79f5) | 0;
    let mixed = Math.imul(bits ^ (bits >>> 15), 1 | bits);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const below = (count: number): number => Math.floor(random() * count);
  let isStopping = false;
  let transactions = 0;
  const tell = (told: unknown): void => console.log(`history ${JSON.stringify(told)}`);

  const read = async ({ lists, entries }: Pick<HistoryStore, 'lists' | 'entries'>, key: string) => {
    if (documents.includes(key)) return ((await lists.get(key as never)) as AnyRow)['list'] as number[];
    const rows = await entries.find({ group: key }, { sort: { place: 1 } });
    return rows.map((row) => row['value'] as number);
  };

  const perform = async (number: number, operations: Operation[]): Promise<void> => {
    const value = (place: number): number => tab * 1_000_000 + number * 10 + place;
    const kind = random();
    if (kind < 0.15) {
      const key = documents[below(documents.length)]!;
      operations.push({ type: 'append', key, value: value(0) });
      await store.lists.update(key as never, { $push: { list: value(0) } });
      return;
    }
    if (kind < 0.25) {
      const key = keys[below(keys.length)]!;
      operations.push({ type: 'read', key, list: await read(store, key) });
      return;
    }
    const plan = Array.from({ length: 1 + below(4) }, () => ({
      key: keys[below(keys.length)]!,
      isAppend: random() < 0.5,
    }));
    await store.transaction(
      async (tx) => {
        operations.length = 0;
        for (const [place, { key, isAppend }] of plan.entries()) {
          const list = await read(tx, key);
          operations.push({ type: 'read', key, list });
          if (!isAppend) continue;
          operations.push({ type: 'append', key, value: value(place) });
          if (documents.includes(key)) await tx.lists.update(key as never, { $push: { list: value(place) } });
          else await tx.entries.create({ id: `v${value(place)}`, group: key, place: list.length, value: value(place) });
        }
      },
      { retries: 100 },
    );
  };

  /** What a call is told of which nothing was stored. */
  const NOTHING_STORED = [
    'transaction/conflict',
    'transaction/deadlock',
    'transaction/interrupted',
    'call/interrupted',
  ];
  const client = async (): Promise<void> => {
    while (!isStopping) {
      const number = transactions++;
      const id = `t${tab}-${number}`;
      const operations: Operation[] = [];
      tell({ type: 'begin', id });
      let outcome = 'committed';
      let code: string | undefined;
      try {
        await perform(number, operations);
      } catch (error) {
        code = (error as { code?: string }).code ?? String(error);
        outcome = NOTHING_STORED.includes(code) ? 'aborted' : 'unknown';
      }
      tell({ type: 'end', id, outcome, operations, code });
      await new Promise((resolve) => setTimeout(resolve, random() * 8));
    }
  };
  const running = Promise.all(Array.from({ length: clients }, client));
  (globalThis as unknown as HistoryGlobals).stopClients = async () => {
    isStopping = true;
    await running;
  };
}
