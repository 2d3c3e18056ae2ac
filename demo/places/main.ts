/** The places page: live lists, counts and totals over all places of the world. */
import { openStore, StoreError } from 'collection-store';
import type { Subscription } from 'rxjs';
import { type Catalogue, importPlaces, readCatalogue } from './import-places.ts';
import { type Filter, imports, NO_FILTER, places, searchText, selectorOf } from './place.ts';
import { type CountryTotal, View } from './view.ts';

const ROWS_SHOWN_FIRST = 50;
const ROWS_SHOWN_MORE = 100;
const COUNTRIES_SHOWN = 12;
/** The map is drawn anew at most this often while places come and go. */
const MAP_PAUSE_MS = 1_000;
/** Where a new place is put: the middle of the map. */
const NOWHERE = { country: 'ZZ', region: 'ZZ', lat: 0, lng: 0 } as const;

let filter: Filter = NO_FILTER;
let rowsShown = ROWS_SHOWN_FIRST;
let watching: Subscription | undefined;
let found = 0;
let shown = 0;

const view = new View({
  filter: (chosen) => {
    filter = chosen;
    rowsShown = ROWS_SHOWN_FIRST;
    watch();
  },
  showMore: () => {
    rowsShown += ROWS_SHOWN_MORE;
    watch();
  },
  add: (name) => attempt(() => store().places.create({ name, search: searchText(name), ...NOWHERE })),
  remove: (id) => attempt(() => store().places.delete(id)),
});

function openPlaceStore() {
  return openStore({ name: 'places', collections: { places, imports } });
}
let opened: Awaited<ReturnType<typeof openPlaceStore>> | undefined;

function store() {
  if (opened === undefined) throw new Error('The store is not open yet. Wait a moment and try again.');
  return opened;
}

void start();

async function start(): Promise<void> {
  let catalogue: Catalogue;
  try {
    [opened, catalogue] = await Promise.all([openPlaceStore(), readCatalogue()]);
  } catch (error) {
    view.drawStatus('failed', 'Not open');
    return showError(error);
  }
  opened.status$.subscribe(({ state }) => view.drawStatus(state, state === 'open' ? 'Open' : state));
  view.setRegions(catalogue.regions);
  watch();
  watchCountries();
  await attempt(async () => {
    const { places: collection, imports: state } = store();
    await importPlaces({ catalogue, places: collection, imports: state, onProgress: view.drawImport.bind(view) });
    view.drawImport(undefined);
  });
}

/** The list, its count and the map follow the filter, and every change of the data. */
function watch(): void {
  watching?.unsubscribe();
  const selector = selectorOf(filter);
  const start = performance.now();
  let isFirst = true;
  const list = store().places.find(selector, { sort: { search: 1 }, limit: rowsShown });
  watching = list.$.subscribe({
    next: (rows) => {
      shown = rows.length;
      view.drawPlaces(rows);
      view.drawFound(found, shown);
      if (isFirst) view.drawAnswer(`(first ${shown} after ${(performance.now() - start).toFixed(0)} ms)`);
      isFirst = false;
    },
    error: showError,
  });
  const count = store().places.find(selector).count$;
  watching.add(
    count.subscribe({
      next: (total) => {
        found = total;
        view.drawFound(found, shown);
        void drawMap();
      },
      error: showError,
    }),
  );
}

function watchCountries(): void {
  const totals = store().places.aggregate<{ readonly _id: string; readonly total: number }>([
    { $group: { _id: '$country', total: { $sum: 1 } } },
    { $sort: { total: -1, _id: 1 } },
  ]);
  totals.$.subscribe({
    next: (groups) =>
      view.drawCountries(
        groups.map(({ _id, total }): CountryTotal => ({ country: _id, total })),
        COUNTRIES_SHOWN,
      ),
    error: showError,
  });
}

let isDrawing = false;
let isDrawingWanted = false;

/** Draws what passes the filter, chunk by chunk. While one drawing is under way, any number of wishes leads to one more. */
async function drawMap(): Promise<void> {
  isDrawingWanted = true;
  if (isDrawing) return;
  isDrawing = true;
  await attempt(async () => {
    while (isDrawingWanted) {
      isDrawingWanted = false;
      const asked = filter;
      view.map.clear();
      for await (const place of store().places.find(selectorOf(asked)).stream()) {
        if (asked !== filter) break;
        view.map.draw(place);
      }
      if (asked === filter) await new Promise((resolve) => setTimeout(resolve, MAP_PAUSE_MS));
    }
  });
  isDrawing = false;
}

async function attempt(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    showError(error);
  }
}

function showError(error: unknown): void {
  if (error instanceof StoreError) view.showNotice(error.message, error.hint);
  else view.showNotice(error instanceof Error ? error.message : String(error));
}
