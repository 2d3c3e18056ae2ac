/** What the page stores: places, and how far their import has come. */
import { type CollectionDefinition, type CollectionOf, defineCollection, type SelectorFor } from 'collection-store';

export type Place = {
  readonly id: string;
  readonly name: string;
  /** The name without case and accents: what is searched and sorted by. */
  readonly search: string;
  /** Two letters, ISO 3166. */
  readonly country: string;
  /** Country and the code of its first administrative division, `AD.03`; only the country when there is none. */
  readonly region: string;
  readonly lat: number;
  readonly lng: number;
};

/** One row, `places`: parts of the data that are stored. */
export type ImportState = { readonly id: string; readonly parts: number };

export const places: CollectionDefinition<Place, Place, 'id'> = defineCollection<Place>({
  indexes: [['country', 'search'], ['region', 'search'], 'search'],
});
export const imports: CollectionDefinition<ImportState, ImportState, 'id'> = defineCollection<ImportState>({});

export type PlaceCollection = CollectionOf<typeof places>;
export type ImportCollection = CollectionOf<typeof imports>;

export type Filter = { readonly name: string; readonly country: string; readonly region: string };

export const NO_FILTER: Filter = { name: '', country: '', region: '' };

/** Above every letter: a name that begins with X is between X and X followed by it. */
const LAST_CHARACTER = String.fromCharCode(0xffff);

export function selectorOf({ name, country, region }: Filter): SelectorFor<Place> {
  const prefix = searchText(name);
  return {
    ...(prefix === '' ? {} : { search: { $gte: prefix, $lt: prefix + LAST_CHARACTER } }),
    ...(region === '' ? (country === '' ? {} : { country }) : { region }),
  };
}

export const searchText = (name: string): string =>
  name
    .normalize('NFD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase()
    .trim();
