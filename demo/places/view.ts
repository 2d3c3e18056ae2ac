/** The page's elements: draws what it is given and reports what the user does. It knows nothing of the store. */
import { MapPlot } from './map-plot.ts';
import type { Filter, Place } from './place.ts';

export interface Actions {
  filter(filter: Filter): void;
  showMore(): void;
  add(name: string): void;
  remove(id: string): void;
}

export type CountryTotal = { readonly country: string; readonly total: number };

const numbers = new Intl.NumberFormat('en');
const countryNames = new Intl.DisplayNames('en', { type: 'region', fallback: 'code' });

export const countryName = (code: string): string => countryNames.of(code) ?? code;

export class View {
  readonly map: MapPlot = new MapPlot(element('map', HTMLCanvasElement));
  readonly #rowsById = new Map<string, HTMLTableRowElement>();
  readonly #actions: Actions;
  #regions: Readonly<Record<string, string>> = {};
  /** The row that each table row shows: unchanged ones keep their identity from one emission to the next. */
  readonly #shown = new WeakMap<HTMLTableRowElement, Place>();

  constructor(actions: Actions) {
    this.#actions = actions;
    const name = element('name', HTMLInputElement);
    const country = element('country', HTMLSelectElement);
    const region = element('region', HTMLSelectElement);
    const report = (): void => actions.filter({ name: name.value, country: country.value, region: region.value });
    name.addEventListener('input', report);
    country.addEventListener('change', () => {
      this.#fillRegions(country.value);
      report();
    });
    region.addEventListener('change', report);
    element('filter', HTMLFormElement).addEventListener('submit', (event) => event.preventDefault());
    element('more', HTMLButtonElement).addEventListener('click', () => actions.showMore());
    element('add', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      const field = element('new-name', HTMLInputElement);
      actions.add(field.value.trim());
      field.value = '';
    });
  }

  setRegions(regions: Readonly<Record<string, string>>): void {
    this.#regions = regions;
  }

  drawStatus(state: string, text: string): void {
    const status = element('status', HTMLElement);
    status.dataset['state'] = state;
    status.textContent = text;
  }

  drawImport(progress: { readonly done: number; readonly total: number } | undefined): void {
    element('import', HTMLElement).hidden = progress === undefined;
    if (progress === undefined) return;
    element('import-progress', HTMLProgressElement).value = progress.done / progress.total;
    element('import-text', HTMLElement).textContent =
      `${numbers.format(progress.done)} of ${numbers.format(progress.total)}. All of this page works meanwhile.`;
  }

  drawFound(found: number, shown: number): void {
    element('found', HTMLElement).textContent = numbers.format(found);
    element('more', HTMLButtonElement).hidden = shown >= found;
  }

  drawAnswer(text: string): void {
    element('answer', HTMLElement).textContent = text;
  }

  drawPlaces(rows: readonly Place[]): void {
    const items = rows.map((place) => this.#rowOf(place));
    const kept = new Set(rows.map(({ id }) => id));
    for (const id of this.#rowsById.keys()) if (!kept.has(id)) this.#rowsById.delete(id);
    element('places', HTMLTableSectionElement).replaceChildren(...items);
  }

  drawCountries(totals: readonly CountryTotal[], shown: number): void {
    const most = totals[0]?.total ?? 1;
    const items = totals.slice(0, shown).map(({ country, total }) => {
      const item = document.createElement('li');
      const name = textElement('span', 'name', countryName(country));
      const meter = document.createElement('meter');
      meter.max = most;
      meter.value = total;
      meter.setAttribute('aria-label', countryName(country));
      item.append(name, meter, textElement('span', 'number', numbers.format(total)));
      return item;
    });
    element('countries', HTMLElement).replaceChildren(...items);
    const select = element('country', HTMLSelectElement);
    const chosen = select.value;
    const known = [...select.options].slice(1).map(({ value }) => value);
    const codes = totals.map(({ country }) => country).sort((a, b) => (countryName(a) < countryName(b) ? -1 : 1));
    if (codes.join() === known.join()) return;
    select.replaceChildren(select.options[0]!, ...codes.map((code) => new Option(countryName(code), code)));
    select.value = chosen;
  }

  showNotice(message: string, hint = ''): void {
    element('notice', HTMLElement).hidden = false;
    element('notice-message', HTMLElement).textContent = message;
    element('notice-hint', HTMLElement).textContent = hint;
  }

  #fillRegions(country: string): void {
    const select = element('region', HTMLSelectElement);
    const names = Object.entries(this.#regions).filter(([code]) => country !== '' && code.startsWith(`${country}.`));
    names.sort(([, a], [, b]) => a.localeCompare(b, 'en'));
    select.replaceChildren(select.options[0]!, ...names.map(([code, name]) => new Option(name, code)));
    select.value = '';
    select.disabled = names.length === 0;
  }

  #rowOf(place: Place): HTMLTableRowElement {
    const known = this.#rowsById.get(place.id);
    if (known !== undefined && this.#shown.get(known) === place) return known;
    const row = known ?? document.createElement('tr');
    const button = textElement('button', 'quiet', 'Delete');
    button.setAttribute('aria-label', `Delete ${place.name}`);
    button.addEventListener('click', () => this.#actions.remove(place.id));
    const last = document.createElement('td');
    last.append(button);
    row.replaceChildren(
      textElement('td', '', place.name),
      textElement('td', '', countryName(place.country)),
      textElement('td', '', this.#regions[place.region] ?? ''),
      textElement('td', '', `${place.lat.toFixed(2)}, ${place.lng.toFixed(2)}`),
      last,
    );
    this.#rowsById.set(place.id, row);
    this.#shown.set(row, place);
    return row;
  }
}

function textElement(tag: string, className: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`The page has no ${type.name} with the id ${id}.`);
  return found;
}
