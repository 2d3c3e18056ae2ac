/** Stores in a real browser for the tests of the bindings, and sources that count who listens to a real query. */
import { afterEach } from 'vitest';
import type { LiveSource } from '../../src/bindings/live-source.ts';
import { type CollectionDefinition, defineCollection, openStore, type Query, type Store } from '../../src/index.ts';

export type Task = { id: string; title: string; rank: number; status: string };
const tasks: CollectionDefinition<Task, Task, 'id'> = defineCollection<Task>({ indexes: ['status', 'rank'] });
export type TaskStore = Store<{ tasks: typeof tasks }>;

const worker = (): Worker => new Worker(new URL('../../worker/main.ts', import.meta.url), { type: 'module' });
const opened: TaskStore[] = [];
let lastName = 0;

afterEach(async () => {
  for (const store of opened.splice(0)) await store.destroy().catch(() => {});
});

/** A store with the tasks `a` to `e`; the first three are open. */
export async function openTaskStore(): Promise<TaskStore> {
  const store = await openStore({
    name: `bindings-${performance.timeOrigin}-${++lastName}`,
    collections: { tasks },
    worker,
  });
  opened.push(store);
  await store.tasks.createMany(
    ['a', 'b', 'c', 'd', 'e'].map((id, rank) => ({ id, title: id, rank, status: rank < 3 ? 'open' : 'done' })),
  );
  return store;
}

/** How often queries were subscribed to, and how many are now. */
export class Listeners {
  opened = 0;
  active = 0;

  /** The query, watched. */
  of<T>(query: Query<T>): LiveSource<T> {
    return {
      question: query.question,
      // biome-ignore lint/suspicious/noThenProperty: a query is awaited.
      then: query.then.bind(query),
      $: {
        subscribe: (observer) => {
          this.opened++;
          this.active++;
          let isOpen = true;
          const subscription = query.$.subscribe(observer);
          return {
            unsubscribe: () => {
              if (isOpen) this.active--;
              isOpen = false;
              subscription.unsubscribe();
            },
          };
        },
      },
    };
  }
}

export const titles = (rows: readonly { readonly title: string }[]): string => rows.map(({ title }) => title).join(' ');

/** An element in the page that is taken away after the test. */
export function createPlace(): HTMLElement {
  const place = document.body.appendChild(document.createElement('div'));
  places.push(place);
  return place;
}
const places: HTMLElement[] = [];
afterEach(() => {
  for (const place of places.splice(0)) place.remove();
});
