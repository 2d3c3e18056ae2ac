/** Goal: a document that breaks its JSON Schema is refused with what is wrong and what to do. Method: one wrong row. */
import { expect, test } from 'vitest';
import { collection, createMemoryImage, openOnImage } from './engine-fixture.ts';

test('a document that breaks its schema is refused by path and rule, with a remedy, and not stored', async () => {
  const jsonSchema = { type: 'object', properties: { title: { type: 'string', maxLength: 3 } } };
  const engine = await openOnImage(createMemoryImage(), [collection('tasks', [], { jsonSchema })]);
  const rows = [{ id: 't1', title: 'too long' }];
  const writing = engine.write(
    { type: 'create', collection: 'tasks', rows },
    { durability: undefined, signal: undefined },
  );
  await expect(writing).rejects.toMatchObject({
    code: 'collection/invalid-document',
    details: { collection: 'tasks', key: 't1' },
    hint: expect.stringContaining('title'),
  });
  expect(await engine.count('tasks', {})).toBe(0);
  await engine.close();
});
