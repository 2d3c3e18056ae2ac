/** Goal: Vue shows live queries as the rules say. Method: a real store and mounted components with render functions. */

import { afterEach, expect, test } from 'vitest';
import { type App, createApp, defineComponent, effectScope, nextTick, ref, shallowRef, watch } from 'vue';
import { useDocument, useQuery, useStatus } from '../../src/vue/index.ts';
import { createPlace, Listeners, openTaskStore, type TaskStore, titles } from '../bindings/store-fixture.ts';

const byRank = { sort: { rank: 1 } } as const;
const apps: App[] = [];
afterEach(() => {
  for (const app of apps.splice(0)) app.unmount();
});

function mount(setup: () => () => unknown) {
  const place = createPlace();
  const app = createApp(defineComponent({ setup }));
  apps.push(app);
  app.mount(place);
  return {
    app,
    shows: (text: string) => expect.poll(() => place.textContent, { timeout: 10_000, interval: 10 }).toBe(text),
  };
}
const codeOf = (error: unknown): string => (error as { code?: string } | undefined)?.code ?? '';

test('[BIND-1] [BIND-2] rows of a query that changes; its end with the component', async () => {
  const store = await openTaskStore();
  const listeners = new Listeners();
  const status = ref('open');
  const { app, shows } = mount(() => {
    const found = useQuery(() => listeners.of(store.tasks.find({ status: status.value }, byRank)));
    return () => `${found.status.value} ${titles(found.rows.value)}`;
  });
  await shows('loading ');
  await shows('ready a b c');
  await store.tasks.update('b', { title: 'B' });
  await shows('ready a B c');
  status.value = 'done';
  await shows('ready d e');
  expect([listeners.opened, listeners.active]).toEqual([2, 1]);
  apps.splice(0);
  app.unmount();
  expect(listeners.active).toBe(0);
});

test('[BIND-2] rows of one question are never seen beside another, also by those who watch', async () => {
  const store = await openTaskStore();
  const status = ref('open');
  const seen: string[] = [];
  const { shows } = mount(() => {
    const found = useQuery(() => store.tasks.find({ status: status.value }, byRank));
    watch([found.rows, found.status], ([rows, state]) => seen.push(`${state} ${titles(rows)}`), { flush: 'sync' });
    return () => `${status.value} ${titles(found.rows.value)}`;
  });
  await shows('open a b c');
  status.value = 'done';
  await nextTick();
  await shows('done d e');
  expect(seen).toEqual(['ready a b c', 'loading ', 'ready d e']);
});

test('[BIND-1] a document, the state of the store, and errors', async () => {
  const store = await openTaskStore();
  const id = ref<string>();
  const opened = shallowRef<TaskStore>();
  const { shows } = mount(() => {
    const one = useDocument(() => opened.value?.tasks, id);
    const status = useStatus(store);
    const wrong = useQuery(store.tasks.find({ rank: { $nope: 1 } } as object));
    return () => `${status.value.state} ${one.status.value} ${one.row.value?.title} ${codeOf(wrong.error.value)}`;
  });
  await shows('open loading undefined query/unknown-operator');
  opened.value = store;
  id.value = 'a';
  await shows('open ready a query/unknown-operator');
  await store.tasks.delete('a');
  await shows('open ready undefined query/unknown-operator');
  await store.close();
  await shows('closed ready undefined query/unknown-operator');
});

test('[BIND-2] a query in a ref, outside of a component, ends with its scope', async () => {
  const store = await openTaskStore();
  const scope = effectScope();
  const query = ref(store.tasks.find({ status: 'done' }, byRank));
  const found = scope.run(() => useQuery(query as never))!;
  await expect.poll(() => found.status.value).toBe('ready');
  const before = found.rows.value;
  scope.stop();
  await store.tasks.delete('d');
  await store.tasks.find();
  expect(found.rows.value).toBe(before);
});
