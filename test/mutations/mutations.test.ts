/** Goal: planted bugs can be planted. Method: each text that one replaces stands exactly once in its file. */
import { expect, test } from 'vitest';
import { textOf } from '../tidy/sources.ts';

type Edit = { readonly file: string; readonly from: string };
type Mutation = Edit & { readonly name: string; readonly also?: Edit };

test('every planted bug finds the text that it replaces, and is in the table', async () => {
  const { MUTATIONS } = (await import('./mutations.mjs' as string)) as { readonly MUTATIONS: readonly Mutation[] };
  const edits = MUTATIONS.flatMap(({ name, also, ...edit }) =>
    [edit, ...(also === undefined ? [] : [also])].map((each) => ({ ...each, name })),
  );
  const lost = edits.filter(({ file, from }) => textOf(file).split(from).length !== 2);
  expect(lost.map(({ name }) => name)).toEqual([]);
  const table = textOf('test/MUTATIONS.md');
  expect(MUTATIONS.map(({ name }) => name).filter((name) => !table.includes(`| ${name} |`))).toEqual([]);
});
