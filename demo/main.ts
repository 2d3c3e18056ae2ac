/** The demo page: wires the view to a store. Everything it knows of the store is the package's public interface. */
import { openStore, StoreError } from 'collection-store';
import { timed } from './stopwatch.ts';
import { type Filter, readPage, sampleTasks, tasks } from './tasks.ts';
import { type Fact, type Notice, View } from './view.ts';

const ROWS_SHOWN_FIRST = 50;
const ROWS_SHOWN_MORE = 100;
const SAMPLE_COUNT = 10_000;

let filter: Filter = 'all';
let rowsShown = ROWS_SHOWN_FIRST;

const view = new View({
  add: (title) =>
    attempt(async () => {
      await collection().create({ title, status: 'open', createdAt: new Date() });
      view.clearTitle();
    }),
  rename: async (id, title) => {
    await attempt(() => collection().update(id, { title }));
    // Also when it was refused: the field then shows the title that is stored.
    refresh();
  },
  setDone: (id, isDone) => attempt(() => collection().update(id, { status: isDone ? 'done' : 'open' })),
  remove: (id) => attempt(() => collection().delete(id)),
  showFilter: (chosen) => {
    filter = chosen;
    rowsShown = ROWS_SHOWN_FIRST;
    refresh();
  },
  showMore: () => {
    rowsShown += ROWS_SHOWN_MORE;
    refresh();
  },
  addMany: () =>
    longWork(`Adding ${count(SAMPLE_COUNT)} tasks ...`, async () => {
      const rows = sampleTasks(SAMPLE_COUNT, new Date());
      const { elapsedMs, longestGapMs } = await timed(() => collection().createMany(rows));
      const perSecond = Math.round(SAMPLE_COUNT / (elapsedMs / 1000) / 100) * 100;
      return (
        `${count(SAMPLE_COUNT)} tasks stored in ${elapsedMs.toFixed(0)} ms, ${count(perSecond)} per second. ` +
        `The page's longest pause meanwhile: ${longestGapMs.toFixed(1)} ms.`
      );
    }),
  verify: () =>
    longWork('Comparing every index with a scan ...', async () => {
      const { value: report, elapsedMs } = await timed(() => store().verify());
      const verdict = report.sound ? 'Everything is sound' : 'Damage was found';
      return `${verdict}: ${count(report.pagesChecked)} pages checked in ${elapsedMs.toFixed(0)} ms.`;
    }),
  clearDone: () => removeMany({ status: 'done' }),
  clearAll: () => removeMany({}),
});

function openTaskStore() {
  return openStore({ name: 'demo', collections: { tasks } });
}

let opened: Awaited<ReturnType<typeof openTaskStore>> | undefined;

void start();

async function start(): Promise<void> {
  try {
    opened = await openTaskStore();
  } catch (error) {
    view.drawStatus('failed', 'Not open');
    view.showNotice(noticeOf(error));
    return;
  }
  opened.status$.subscribe((status) => view.drawStatus(status.state, statusText(status)));
  watch();
  refresh();
}

/** Draws after each change, whichever tab makes it. When the tab that told of changes is closed, another one does. */
function watch(): void {
  collection().changes$.subscribe({
    next: () => refresh(),
    error: (error) => {
      if ((error as { code?: string }).code !== 'subscription/interrupted') return view.showNotice(noticeOf(error));
      watch();
      refresh();
    },
  });
}

function store() {
  if (opened === undefined) throw new Error('The store is not open yet. Wait a moment and try again.');
  return opened;
}

function collection() {
  return store().tasks;
}

let isRefreshing = false;
let isRefreshWanted = false;

/** Draws the newest state. While one drawing is under way, any number of wishes leads to one more. */
async function refresh(): Promise<void> {
  isRefreshWanted = true;
  if (isRefreshing) return;
  isRefreshing = true;
  while (isRefreshWanted) {
    isRefreshWanted = false;
    try {
      const asked = filter;
      const [page, facts] = await Promise.all([readPage(collection(), asked, rowsShown), healthFacts()]);
      if (asked === filter) view.drawPage(page, filter);
      view.drawFacts(facts);
    } catch (error) {
      view.showNotice(noticeOf(error));
    }
  }
  isRefreshing = false;
}

async function healthFacts(): Promise<readonly Fact[]> {
  const health = await store().health();
  const { recovery } = health;
  const dropped = recovery.framesDropped === 0 ? 'nothing lost' : `${count(recovery.framesDropped)} frames dropped`;
  return [
    ['Kept in', health.storage === 'indexeddb' ? 'IndexedDB' : 'memory only'],
    ['Durability', health.durability],
    ['Tasks', count(health.collections.reduce((sum, { rows }) => sum + rows, 0))],
    ['Used by this origin', health.usageBytes === undefined ? 'unknown' : bytes(health.usageBytes)],
    ['Allowed', health.quotaBytes === undefined ? 'unknown' : bytes(health.quotaBytes)],
    ['Log since checkpoint', `${bytes(health.logBytesSinceCheckpoint)} in ${health.log}`],
    ['Page cache', bytes(health.cacheBytes)],
    ['Replayed at opening', `${count(recovery.commitsKept)} commits, ${dropped}`],
  ];
}

function removeMany(selector: { readonly status?: 'done' }): void {
  void longWork('Deleting ...', async () => {
    const { value, elapsedMs } = await timed(() => collection().deleteMany(selector));
    return `${count(value)} tasks deleted in ${elapsedMs.toFixed(0)} ms.`;
  });
}

/** Work with its result in words, during which the buttons are off. */
async function longWork(text: string, work: () => Promise<string>): Promise<void> {
  view.drawResult('busy', text);
  let result = '';
  await attempt(async () => {
    result = await work();
  });
  view.drawResult('done', result);
  refresh();
}

/** Does something for the user and says in words what went wrong, if it did. */
async function attempt(work: () => Promise<unknown>): Promise<void> {
  view.hideNotice();
  try {
    await work();
  } catch (error) {
    view.showNotice(noticeOf(error));
  }
}

function noticeOf(error: unknown): Notice {
  if (error instanceof StoreError) return { message: error.message, hint: error.hint };
  return { message: error instanceof Error ? error.message : String(error) };
}

function count(value: number): string {
  return value.toLocaleString();
}

function bytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  return `${(value / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

function statusText({ state, durability }: { readonly state: string; readonly durability: string }): string {
  if (state !== 'open') return `${state[0]?.toUpperCase()}${state.slice(1)}`;
  return durability === 'none' ? 'Open, in memory only' : 'Open';
}
