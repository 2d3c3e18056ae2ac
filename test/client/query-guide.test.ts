/**
 * Goal: the query guide is true. Method: run its setting, then every line of its examples against a store on a real
 * engine, with and without indexes; what a line answers is what stands behind its `//`.
 */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { defineCollection, openStore, type Store } from '../../src/index.ts';
import { openEngineOn } from '../../worker/engine/index.ts';
import { createMemoryImage, createMemoryStorage } from '../../worker/storage/index.ts';
import { nodePlatform } from '../engine/engine-fixture.ts';
import { createThreadWorker } from '../fakes/thread-worker.ts';

const guide = readFileSync(new URL('../../src/client/QUERIES.md', import.meta.url), 'utf8');

type Example = { readonly asked: string; readonly answered: string };
type Block = { readonly heading: string; readonly examples: readonly Example[] };

const setting = mustMatch(/^```js setting\n(.*?)^```$/ms);
const blocks: readonly Block[] = [...guide.matchAll(/^## ([^\n]+)\n(.*?)(?=^## |$(?![\s\S]))/gms)].map(
  ([, heading = '', text = '']) => ({
    heading,
    examples: [...text.matchAll(/^```js examples\n(.*?)^```$/gms)].flatMap(([, lines = '']) =>
      lines.trim().split('\n').map(toExample),
    ),
  }),
);

let opened: Store | undefined;
afterEach(async () => {
  await opened?.close();
  opened = undefined;
});

test('the guide has examples', () => {
  expect(blocks.flatMap(({ examples }) => examples).length).toBeGreaterThan(20);
});

describe.each([
  ['without indexes', []],
  [
    'with indexes',
    ['age', 'name', 'email', 'address.city', { on: 'tags', multi: true }, 'born', 'scores', 'jobs.title'],
  ],
] as const)('%s', (_, indexes) => {
  test.each(blocks.filter(({ examples }) => examples.length > 0))('$heading', async ({ examples }) => {
    const run = await openGuide(indexes as never);
    for (const { asked, answered } of examples) expect(await run(asked), asked).toEqual(await run(answered));
  });
});

/** Answers a function that evaluates an expression in the setting of the guide. */
async function openGuide(indexes: never): Promise<(expression: string) => Promise<unknown>> {
  const store = await openStore({
    name: 'guide',
    collections: { people: defineCollection({ indexes }) },
    storage: ['memory'],
    worker: () =>
      createThreadWorker((options) =>
        openEngineOn(createMemoryStorage(createMemoryImage()), options, nodePlatform),
      ) as unknown as Worker,
  });
  opened = store as unknown as Store;
  const evaluate = `${setting}\nreturn (expression) => eval('(' + expression + ')');`;
  const AsyncFunction = (async () => {}).constructor as new (
    ...parts: string[]
  ) => (store: unknown) => Promise<(expression: string) => unknown>;
  const run = await new AsyncFunction('store', evaluate)(store);
  return async (expression) => await run(expression);
}

function toExample(line: string): Example {
  const at = line.lastIndexOf(' // ');
  if (at < 0) throw new Error(`An example without an answer: ${line}`);
  return { asked: line.slice(0, at), answered: line.slice(at + 4) };
}

function mustMatch(pattern: RegExp): string {
  const found = pattern.exec(guide)?.[1];
  if (found === undefined) throw new Error(`The guide has no ${pattern}.`);
  return found;
}
