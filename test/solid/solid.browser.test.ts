/** Goal: Solid shows live queries as the rules say. Method: a real store and mounted components without a JSX transform. */
import { createRenderEffect, createRoot, createSignal, type JSX } from 'solid-js';
import { render } from 'solid-js/web';
import { afterEach, expect, test } from 'vitest';
import { useDocument, useQuery, useStatus } from '../../src/solid/index.ts';
import { createPlace, Listeners, openTaskStore, type TaskStore, titles } from '../bindings/store-fixture.ts';

const byRank = { sort: { rank: 1 } } as const;
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** `setUp` answers what the text of the component is. */
function mount(setUp: () => () => string) {
  const place = createPlace();
  const end = render(() => setUp() as unknown as JSX.Element, place);
  ends.push(end);
  return {
    end,
    shows: (text: string) => expect.poll(() => place.textContent, { timeout: 10_000, interval: 10 }).toBe(text),
  };
}

test('[BIND-1] [BIND-2] rows of a query that changes; its end with the component', async () => {
  const store = await openTaskStore();
  const listeners = new Listeners();
  const [status, setStatus] = createSignal('open');
  const { end, shows } = mount(() => {
    const found = useQuery(() => listeners.of(store.tasks.find({ status: status() }, byRank)));
    return () => `${found.status()} ${titles(found.rows())}`;
  });
  await shows('loading ');
  await shows('ready a b c');
  await store.tasks.update('b', { title: 'B' });
  await shows('ready a B c');
  setStatus('done');
  await shows('ready d e');
  expect([listeners.opened, listeners.active]).toEqual([2, 1]);
  end();
  expect(listeners.active).toBe(0);
});

test('[BIND-2] rows of one question are never seen beside another', async () => {
  const store = await openTaskStore();
  const [status, setStatus] = createSignal('open');
  const seen: string[] = [];
  ends.push(
    createRoot((end) => {
      const found = useQuery(() => store.tasks.find({ status: status() }, byRank));
      createRenderEffect(() => seen.push(`${found.status()} ${titles(found.rows())}`));
      return end;
    }),
  );
  await expect.poll(() => seen.at(-1)).toBe('ready a b c');
  setStatus('done');
  await expect.poll(() => seen.at(-1)).toBe('ready d e');
  expect(seen).toEqual(['loading ', 'ready a b c', 'loading ', 'ready d e']);
});

test('[BIND-1] a document, the state of the store, and errors', async () => {
  const store = await openTaskStore();
  const [id, setId] = createSignal<string>();
  const [opened, setOpened] = createSignal<TaskStore>();
  const { shows } = mount(() => {
    const one = useDocument(() => opened()?.tasks, id);
    const status = useStatus(store);
    const wrong = useQuery(() => store.tasks.find({ rank: { $nope: 1 } } as object));
    const code = () => (wrong.error() as { code?: string } | undefined)?.code;
    return () => `${status().state} ${one.status()} ${one.row()?.title} ${code()}`;
  });
  await shows('open loading undefined query/unknown-operator');
  setOpened(() => store);
  setId('a');
  await shows('open ready a query/unknown-operator');
  await store.tasks.delete('a');
  await shows('open ready undefined query/unknown-operator');
  await store.close();
  await shows('closed ready undefined query/unknown-operator');
});
