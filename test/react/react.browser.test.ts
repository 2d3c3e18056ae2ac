/**
 * Goal: React shows live queries as the rules say. Method: a real store and real roots, always under StrictMode; what
 * the page shows is read from its DOM.
 */
import {
  Activity,
  createElement as h,
  memo,
  Suspense,
  startTransition,
  useLayoutEffect,
  useReducer,
  useState,
} from 'react';
import { expect, test } from 'vitest';
import { type QueryState, useDocument, useQuery, useStatus, useSuspenseQuery } from '../../src/react/index.ts';
import { LiveStore } from '../../src/react/live-store.ts';
import { UNUSED_MS } from '../../src/react/suspense-cache.ts';
import { ScriptedSource } from '../bindings/scripted-source.ts';
import { Listeners, openTaskStore, type Task, type TaskStore, titles } from '../bindings/store-fixture.ts';
import { Boundary, createPage } from './react-fixture.ts';

const byRank = { sort: { rank: 1 } } as const;
type Props = { readonly store: TaskStore; readonly status: string; readonly listeners?: Listeners };

const asText = ({ status, rows, error }: QueryState<Task>): string =>
  status === 'error' ? `error ${(error as { code: string }).code}` : `${status} ${titles(rows)}`;

function List({ store, status, listeners = new Listeners() }: Props) {
  return asText(useQuery(() => listeners.of(store.tasks.find({ status }, byRank)), [store, status]));
}

function SuspendedList({ store, status, listeners = new Listeners() }: Props) {
  return titles(useSuspenseQuery(() => listeners.of(store.tasks.find({ status }, byRank)), [store, status]));
}

test('[BIND-1] rows, and rows after each change; rows that have not changed are not rendered again', async () => {
  const store = await openTaskStore();
  const rendered: string[] = [];
  const statuses = new Set<string>();
  const Item = memo(({ task }: { readonly task: Task }) => {
    rendered.push(task.title);
    return `${task.title} `;
  });
  const Items = () => {
    const { rows, status } = useQuery(() => store.tasks.find({ status: 'open' }, byRank), []);
    statuses.add(status);
    return [status, ' ', ...rows.map((task) => h(Item, { key: task.id, task }))];
  };
  const page = createPage();
  page.render(h(Items));
  await page.shows('ready a b c ');
  // Noted as it was rendered: nobody may look at the page while it shows.
  expect([...statuses]).toEqual(['loading', 'ready']);
  rendered.length = 0;
  await store.tasks.update('b', { title: 'B' });
  await page.shows('ready a B c ');
  expect(new Set(rendered)).toEqual(new Set(['B']));
  await store.tasks.delete('a');
  await store.tasks.put({ id: 'd', title: 'D', rank: 9, status: 'open' });
  await page.shows('ready B c D ');
});

test('[BIND-2] one subscription, however often a component renders, and none after its end', async () => {
  const store = await openTaskStore();
  const listeners = new Listeners();
  const page = createPage();
  page.render(h(List, { store, status: 'open', listeners }));
  await page.shows('ready a b c');
  const { opened } = listeners;
  expect(listeners.active).toBe(1);
  for (let turn = 0; turn < 20; turn++) {
    page.render(h(List, { store, status: 'open', listeners }));
    await store.tasks.update('a', { title: `a${turn}` });
  }
  await page.shows('ready a19 b c');
  expect([listeners.opened, listeners.active]).toEqual([opened, 1]);
  page.unmount();
  await expect.poll(() => listeners.active).toBe(0);
});

test('[BIND-2] another question ends the first, and its rows are not shown for the second', async () => {
  const store = await openTaskStore();
  const listeners = new Listeners();
  const shown: string[] = [];
  const Watched = (props: Props) => {
    const text = List(props);
    useLayoutEffect(() => void shown.push(`${props.status}: ${text}`));
    return text;
  };
  const page = createPage();
  for (const status of ['open', 'done', 'open', 'none']) {
    page.render(h(Watched, { store, status, listeners }));
    await page.shows({ open: 'ready a b c', done: 'ready d e', none: 'ready ' }[status]!);
    expect(listeners.active).toBe(1);
  }
  const wrong = /open: ready d e|done: ready a b c|none: ready \w|loading \w/;
  expect(shown.filter((text) => wrong.test(text))).toEqual([]);
  expect(shown).toContain('done: loading ');
});

test('[BIND-1] nothing is asked until there is a store', async () => {
  const store = await openTaskStore();
  const Optional = ({ opened }: { readonly opened: TaskStore | undefined }) =>
    asText(useQuery(() => opened?.tasks.find({ status: 'done' }, byRank), [opened]));
  const page = createPage();
  page.render(h(Optional, { opened: undefined }));
  await page.shows('loading ');
  page.render(h(Optional, { opened: store }));
  await page.shows('ready d e');
});

test('[BIND-1] a wrong query is an error, and the next one is not', async () => {
  const store = await openTaskStore();
  const Chosen = ({ selector }: { readonly selector: object }) =>
    asText(useQuery(() => store.tasks.find(selector, byRank), [selector]));
  const page = createPage();
  page.render(h(Chosen, { selector: { rank: { $nope: 1 } } }));
  await page.shows('error query/unknown-operator');
  page.render(h(Chosen, { selector: { rank: { $gt: 3 } } }));
  await page.shows('ready e');
});

test('[BIND-1] closing the store leaves the rows; a query that comes later says why it fails', async () => {
  const store = await openTaskStore();
  const State = () => useStatus(store).state;
  const page = createPage();
  const show = (isLate: boolean) =>
    page.render([
      h(State, { key: 1 }),
      ' / ',
      h(List, { key: 2, store, status: 'done' }),
      ...(isLate ? [' / ', h(List, { key: 3, store, status: 'open' })] : []),
    ]);
  show(false);
  await page.shows('open / ready d e');
  await store.close();
  await page.shows('closed / ready d e');
  show(true);
  await page.shows('closed / ready d e / error store/closed');
});

test('[BIND-1] a document that is there, changes, goes, and another', async () => {
  const store = await openTaskStore();
  const One = ({ id }: { readonly id: string | undefined }) => {
    const { row, status } = useDocument(store.tasks, id);
    return `${status} ${row?.title}`;
  };
  const page = createPage();
  page.render(h(One, { id: undefined }));
  await page.shows('loading undefined');
  page.render(h(One, { id: 'a' }));
  await page.shows('ready a');
  await store.tasks.update('a', { title: 'A' });
  await store.tasks.update('b', { title: 'B' });
  await page.shows('ready A');
  await store.tasks.delete('a');
  await page.shows('ready undefined');
  page.render(h(One, { id: 'b' }));
  await page.shows('ready B');
});

test('[BIND-2] what is hidden has no subscription, and is true again when it is shown', async () => {
  const store = await openTaskStore();
  const listeners = new Listeners();
  const page = createPage();
  const show = (mode: 'visible' | 'hidden') =>
    // biome-ignore lint/correctness/noChildrenProp: its type wants it there.
    page.render(h(Activity, { mode, children: h('p', null, h(List, { store, status: 'open', listeners })) }));
  show('visible');
  await page.shows('ready a b c');
  show('hidden');
  await expect.poll(() => listeners.active).toBe(0);
  await store.tasks.delete('b');
  show('visible');
  await page.shows('ready a c');
  expect(listeners.active).toBe(1);
});

test('[BIND-4] a component suspends until its rows are there, and then is as any other', async () => {
  const store = await openTaskStore();
  const listeners = new Listeners();
  const page = createPage();
  const list = (key: number) => h(SuspendedList, { key, store, status: 'open', listeners });
  page.render(h(Suspense, { fallback: 'waiting' }, list(1), ' / ', list(2)));
  await page.shows('waiting');
  await page.shows('a b c / a b c');
  await store.tasks.update('c', { title: 'C' });
  await page.shows('a b C / a b C');
  // Both ask the same.
  expect([listeners.opened, listeners.active]).toEqual([1, 1]);
});

test('[BIND-4] in a transition the old rows stay until the new ones are there', async () => {
  const store = await openTaskStore();
  const shown: (string | null)[] = [];
  let choose!: (status: string) => void;
  const page = createPage();
  const Choice = () => {
    const [status, setStatus] = useState('open');
    choose = setStatus;
    return h(Suspense, { fallback: 'waiting' }, h(SuspendedList, { store, status }));
  };
  page.render(h(Choice));
  await page.shows('a b c');
  const observer = new MutationObserver(() => shown.push(page.place.textContent));
  observer.observe(page.place, { subtree: true, childList: true, characterData: true, attributes: true });
  startTransition(() => choose('done'));
  await page.shows('d e');
  observer.disconnect();
  expect(new Set(shown)).toEqual(new Set(['d e']));
});

test('[BIND-1] [BIND-5] what fails while it is waited for comes to the boundary, which can try again', async () => {
  const store = await openTaskStore();
  let isWrong = true;
  const Chosen = () => {
    const selector = (isWrong ? { rank: { $nope: 1 } } : { rank: 4 }) as object;
    return titles(useSuspenseQuery(() => store.tasks.find(selector), []));
  };
  const page = createPage();
  const show = (key: number) => page.render(h(Boundary, { key }, h(Suspense, { fallback: 'waiting' }, h(Chosen))));
  show(1);
  await page.shows('error query/unknown-operator');
  isWrong = false;
  show(2);
  await page.shows('e');
});

test('[BIND-5] a component that goes while it waits leaves nothing behind', async () => {
  const source = new ScriptedSource<Task>(['slow']);
  const Waiting = () => titles(useSuspenseQuery(() => source, []));
  const page = createPage();
  page.render(h(Suspense, { fallback: 'waiting' }, h(Waiting)));
  await page.shows('waiting');
  page.render('gone');
  await page.shows('gone');
  source.tell([]);
  expect([source.opened, source.active]).toEqual([1, 1]);
  await expect.poll(() => source.active, { timeout: UNUSED_MS + 5_000 }).toBe(0);
});

test('[BIND-3] components of one commit show the same rows while a slow render is interrupted by writes', async () => {
  const store = await openTaskStore();
  const commits = await commitsUnderWrites(store, () =>
    useSuspenseQuery(() => store.tasks.find({ status: 'open' }, byRank), []),
  );
  expect(commits.length).toBeGreaterThan(10);
  expect(commits.filter((shown) => new Set(shown).size > 1)).toEqual([]);
});

test('[canary] rows that are read as they are while React renders do differ in one commit', async () => {
  const store = await openTaskStore();
  const live = new LiveStore(store.tasks.find({ status: 'open' }, byRank));
  const commits = await commitsUnderWrites(store, () => {
    const [, render] = useReducer((turn: number) => turn + 1, 0);
    useLayoutEffect(() => live.subscribe(() => startTransition(render)), []);
    return live.read().rows;
  });
  expect(commits.filter((shown) => new Set(shown).size > 1)).not.toEqual([]);
});

/** What twelve slow components show of the task `a` after each commit, while it is written to again and again. */
async function commitsUnderWrites(store: TaskStore, useRows: () => readonly Task[]): Promise<string[][]> {
  const commits: string[][] = [];
  const page = createPage();
  const texts = () => [...page.place.querySelectorAll('p')].map(({ textContent }) => textContent ?? '');
  const Slow = (_turn: { readonly turn: number }) => {
    const rows = useRows();
    const until = performance.now() + 5;
    while (performance.now() < until);
    const text = titles(rows);
    useLayoutEffect(() => void commits.push(texts()));
    return h('p', null, text);
  };
  let turnOn!: (turn: number) => void;
  const All = () => {
    const [turn, setTurn] = useState(0);
    turnOn = setTurn;
    return Array.from({ length: 12 }, (_, at) => h(Slow, { key: at, turn }));
  };
  page.render(h(Suspense, { fallback: 'waiting' }, h(All)));
  await expect.poll(() => texts().at(-1), { timeout: 10_000 }).toBe('a b c');
  for (let turn = 1; turn <= 10; turn++) {
    startTransition(() => turnOn(turn));
    await new Promise((resolve) => setTimeout(resolve, 15));
    await store.tasks.update('a', { title: `a${turn}` });
  }
  await expect.poll(() => new Set(texts()), { timeout: 10_000 }).toEqual(new Set(['a10 b c']));
  return commits;
}
