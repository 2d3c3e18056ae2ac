/** Goal: the guide of transactions is true. Method: run its setting and each of its examples on a real engine. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { defineCollection } from '../../src/index.ts';
import { openRealStore } from './transaction-fixture.ts';

const guide = readFileSync(new URL('../../src/client/TRANSACTIONS.md', import.meta.url), 'utf8');
const [, setting = ''] = /^```js setting\n(.*?)^```$/ms.exec(guide) ?? [];
const examples = [...guide.matchAll(/^## ([^\n]+)$|^```js example\n(.*?)^```$/gms)];

const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (store: unknown) => Promise<unknown>;

test('the guide has examples', () => {
  expect(setting).not.toBe('');
  expect(examples.filter(([, , code]) => code !== undefined).length).toBeGreaterThanOrEqual(7);
});

let heading = '';
let place = 0;
for (const [, title, code] of examples) {
  if (title !== undefined) heading = title;
  if (code === undefined) continue;
  place += 1;
  test(`${heading}, example ${place}`, async () => {
    const at = code.lastIndexOf(' // ');
    const { store } = await openRealStore({ accounts: defineCollection({}), transfers: defineCollection({}) });
    await new AsyncFunction('store', setting)(store);
    const answered = await new AsyncFunction('store', code.slice(0, at))(store);
    expect(answered).toEqual(await new AsyncFunction('store', `return ${code.slice(at + 4)}`)(store));
  });
}
