/** Goal: Svelte shows live queries as the rules say. Method: a real store and a compiled component. */
import { type Component, mount, unmount } from 'svelte';
import { get } from 'svelte/store';
import { expect, test } from 'vitest';
import { queryStore, statusStore } from '../../src/svelte/index.ts';
import { createPlace, Listeners, openTaskStore, titles } from '../bindings/store-fixture.ts';

test('[BIND-1] [BIND-2] a component shows rows of a question that changes, a document, the state and errors', async () => {
  const { default: TasksView } = (await import('./tasks.svelte' as string)) as { readonly default: Component };
  const store = await openTaskStore();
  const listeners = new Listeners();
  const place = createPlace();
  const view = mount(TasksView, {
    target: place,
    props: { tasks: store, watch: listeners.of.bind(listeners) } as object,
  });
  const shows = (name: string, text: string) =>
    expect.poll(() => place.querySelector(`.${name}`)?.textContent, { timeout: 10_000, interval: 10 }).toBe(text);
  await shows('found', 'loading');
  await shows('found', 'ready a b c');
  await shows('first', 'ready a');
  await shows('wrong', 'query/unknown-operator');
  await shows('state', 'open');
  await store.tasks.update('a', { title: 'A' });
  await shows('found', 'ready A b c');
  await shows('first', 'ready A');
  place.querySelector('button')?.click();
  await shows('found', 'ready d e');
  expect([listeners.opened, listeners.active]).toEqual([2, 1]);
  await store.close();
  await shows('state', 'closed');
  await shows('found', 'ready d e');
  await unmount(view);
  expect(listeners.active).toBe(0);
});

test('[BIND-2] a store asks while it has subscribers, once for all of them', async () => {
  const store = await openTaskStore();
  const listeners = new Listeners();
  const found = queryStore(listeners.of(store.tasks.find({ status: 'done' }, { sort: { rank: 1 } })));
  expect([get(statusStore(store)).state, listeners.opened]).toEqual(['open', 0]);
  const seen: string[] = [];
  const stops = [1, 2].map((who) =>
    found.subscribe(({ status, rows }) => seen.push(`${who} ${status} ${titles(rows)}`)),
  );
  await expect.poll(() => seen).toEqual(['1 loading ', '2 loading ', '1 ready d e', '2 ready d e']);
  expect([listeners.opened, listeners.active]).toEqual([1, 1]);
  for (const stop of stops) stop();
  expect(listeners.active).toBe(0);
});
