/** Goal: every example of AGGREGATION.md is true, and none is missing. Method: read its tables and run them. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Row } from '../../../src/base/row.ts';
import { ACCUMULATORS } from '../../../worker/query/aggregate/accumulators.ts';
import { OPERATORS } from '../../../worker/query/aggregate/operators/index.ts';
import { STAGES } from '../../../worker/query/aggregate/pipeline.ts';
import { collection, createMemoryImage, openOnImage } from '../../engine/engine-fixture.ts';
import { verbsOf } from '../../engine/engine-verbs.ts';

const text = readFileSync(new URL('../../../worker/query/AGGREGATION.md', import.meta.url), 'utf8');
const rows = revived(/```json\n(.*?)```/s.exec(text)?.[1] ?? '') as Record<'orders' | 'customers', Row[]>;

type Example = { readonly name: string; readonly given: string; readonly result: string };

function examplesOf(heading: string): readonly Example[] {
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  return [...section.matchAll(/^\| `(\$\w+)` \| `(.*?)` \| `(.*?)` \|$/gm)].map(
    ([, name = '', given = '', result = '']) => ({ name, given, result }),
  );
}

/** JSON, in which `{ "$date": text }` is a date. */
function revived(json: string): unknown {
  return JSON.parse(json, (_, value: unknown) => {
    const date = (value as { readonly $date?: string } | null)?.$date;
    return date === undefined ? value : new Date(date);
  });
}

async function aggregate(pipeline: readonly unknown[]): Promise<readonly Row[]> {
  const engine = await openOnImage(createMemoryImage(), [collection('orders'), collection('customers')]);
  await verbsOf(engine, 'orders').create(...rows.orders);
  await verbsOf(engine, 'customers').create(...rows.customers);
  const result = await engine.aggregate('orders', pipeline).next(1_000);
  await engine.close();
  return result.rows;
}

const SECTIONS = {
  Stages: { all: STAGES, run: (given: unknown) => aggregate(given as readonly unknown[]) },
  Accumulators: {
    all: ACCUMULATORS,
    run: async (given: unknown) => (await aggregate([{ $group: { _id: null, x: given } }]))[0]!['x'],
  },
  Expressions: {
    all: OPERATORS,
    run: async (given: unknown) => (await aggregate([{ $limit: 1 }, { $project: { x: given } }]))[0]!['x'],
  },
};

for (const [heading, { all, run }] of Object.entries(SECTIONS)) {
  describe(heading, () => {
    const examples = examplesOf(heading);

    test('each has one example', () => {
      expect(examples.map(({ name }) => name).sort()).toEqual(Object.keys(all).sort());
    });

    for (const { name, given, result } of examples) {
      test(`${name}: ${given}`, async () => {
        expect(given).toContain(name);
        expect(await run(revived(given))).toEqual(revived(result));
      });
    }
  });
}
