/** An application of many collections, as text: what the compiler has to check for those who use the package. */

export const COLLECTIONS = 50;
/** Fields of each document, nested ones not counted. */
export const FIELDS = 20;

const KINDS = [
  'string',
  'number',
  'boolean',
  'Date',
  'string[]',
  "'open' | 'active' | 'done'",
  'number | undefined',
  '{ city: string; zip: number; geo: { lat: number; lng: number } }',
  '{ name: string; done: boolean; at?: Date }[]',
  'string | null',
];
const kindOf = (field: number): string => KINDS[field % KINDS.length]!;
const field = (collection: number, at: number): string => `c${collection}f${at}`;

/** Files by name. Without `collections` there are the same types of documents, and nobody asks the package for anything. */
export function typeProject(options: { readonly hasCollections: boolean }): ReadonlyMap<string, string> {
  const numbers = Array.from({ length: COLLECTIONS }, (_, at) => at);
  const files = new Map(numbers.map((n) => [`types${n}.ts`, documentOf(n)]));
  if (!options.hasCollections) {
    files.set(
      'main.ts',
      "import { openStore } from 'collection-store';\nexport const store = openStore({ name: 'x', collections: {} });\n",
    );
    return files;
  }
  const names = numbers.map((n) => `documents${n}`);
  const imports = numbers.map((n) => `import { documents${n} } from './definition${n}.ts';\n`).join('');
  files.set(
    'main.ts',
    `import { openStore } from 'collection-store';\n${imports}
export const store = await openStore({ name: 'x', collections: { ${names.join(', ')} } });\n`,
  );
  for (const n of numbers) {
    files.set(`definition${n}.ts`, definitionOf(n));
    files.set(`uses${n}.ts`, usesOf(n));
  }
  return files;
}

function documentOf(n: number): string {
  const fields = Array.from({ length: FIELDS - 1 }, (_, at) => `  ${field(n, at)}: ${kindOf(at)};`);
  return `export type Document${n} = {\n  id: string;\n${fields.join('\n')}\n};\n`;
}

const definitionOf = (n: number): string => `import { defineCollection } from 'collection-store';
import type { Document${n} } from './types${n}.ts';
export const documents${n} = defineCollection<Document${n}>({
  indexes: ['${field(n, 0)}', ['${field(n, 7)}.city', '${field(n, 3)}'], { on: '${field(n, 4)}', multi: true, where: { ${field(n, 1)}: { $gt: 1 } } }],
});
`;

/** What an application does with a collection: ask, change, join, group, stay up to date. */
function usesOf(n: number): string {
  const other = (n + 1) % COLLECTIONS;
  const f = (at: number): string => field(n, at);
  const o = (at: number): string => field(other, at);
  return `import { store } from './main.ts';
const { documents${n} } = store;
export const found = await documents${n}.find(
  { ${f(0)}: 'a', ${f(1)}: { $gte: 1, $lt: 5 }, '${f(7)}.city': { $in: ['x', 'y'] }, '${f(8)}.done': true },
  { sort: { ${f(3)}: -1, '${f(7)}.zip': 1 }, limit: 20, project: { ${f(0)}: 1, '${f(7)}.city': 1 } },
);
export const first = found[0]?.${f(7)}.geo.lat;
export const some = await documents${n}
  .find({ $or: [{ ${f(5)}: 'open' }, { $and: [{ ${f(2)}: true }, { ${f(4)}: { $all: ['a'], $size: 2 } }] }] }, { sort: [['${f(1)}', 1]] })
  .page(20);
export const counted = await documents${n}.count({ ${f(3)}: { $lt: new Date() }, ${f(8)}: { $elemMatch: { name: /^a/, done: false } } });
export const joined = documents${n}.find(
  { ${f(9)}: { $exists: true } },
  {
    include: {
      one: { from: 'documents${other}', on: ['${f(0)}', 'id'], one: true },
      many: { from: 'documents${other}', on: ['id', '${o(0)}'], where: { ${o(1)}: { $gt: 1 } }, sort: { ${o(3)}: 1 }, limit: 5 },
    },
  },
);
joined.$.subscribe((rows) => rows.map(({ one, many }) => [one?.${o(7)}.city, many.map(({ ${o(1)} }) => ${o(1)} + 1)]));
documents${n}.find({ ${f(6)}: { $ne: 5 } }, { sort: { ${f(0)}: 1 } }).delta$.subscribe(({ added }) => added.map(({ row }) => row.${f(1)}));
documents${n}.find({ ${f(2)}: false }).count$.subscribe((count) => count + 1);
await documents${n}.create({ ...found[0]!, ${f(0)}: 'b' });
await documents${n}.update('a', { ${f(1)}: 2, ${f(5)}: 'done' });
await documents${n}.update('a', { $set: { '${f(7)}.city': 'x', ${f(3)}: new Date() }, $inc: { ${f(1)}: 1 }, $push: { ${f(4)}: 'x' } });
await documents${n}.updateMany({ '${f(7)}.geo.lat': { $gt: 1 } }, { $max: { ${f(1)}: 5 }, $unset: { ${f(6)}: '' } });
await documents${n}.deleteMany({ ${f(9)}: null });
export const totals = await documents${n}.aggregate<{ _id: string; total: number }>([
  { $match: { ${f(1)}: { $gt: 1 } } },
  { $group: { _id: '$${f(5)}', total: { $sum: '$${f(1)}' } } },
  { $sort: { total: -1 } },
]);
documents${n}.subscribe(({ row, before }) => (row?.${f(1)} ?? 0) - (before?.${f(1)} ?? 0));
`;
}
