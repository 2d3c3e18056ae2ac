/**
 * Goal: a write of many rows reads the pages that it needs together, whatever it is: not one after the other, each time
 * from the beginning. Method: 600 rows all over a store with a cold cache; reads of the page store are counted.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { copyMemoryImage, type MemoryImage } from '../../worker/storage/index.ts';
import { beginOn } from '../transactions/transaction-fixture.ts';
import { collection, createMemoryImage, index, openCounting, openOnImage } from './engine-fixture.ts';
import { VERIFY, verbsOf } from './engine-verbs.ts';

const ROWS = 20_000;
const CHANGED = 600;
/** A tree of so many rows has three levels; a write reads rows, then indexes, and reads once more to commit. */
const READS_MAX = 12;
const COLLECTIONS = [collection('items', [index('n'), index('code', { unique: true }), index('part')])];

const rowOf = (n: number, more: object = {}): Row => ({
  id: `row ${String(n).padStart(8, '0')}`,
  n: (n * 7919) % ROWS,
  code: `c${(n * 104_729) % ROWS}`,
  part: n % 33 === 0 ? 'some' : 'rest',
  text: 'x'.repeat(150),
  ...more,
});
const CHOSEN = Array.from({ length: CHANGED }, (_, at) => at * 33);

describe('[PAGE-3] writes with a cold cache', () => {
  let image: MemoryImage;
  beforeAll(async () => {
    image = createMemoryImage();
    const engine = await openOnImage(image, COLLECTIONS);
    await verbsOf(engine).create(...Array.from({ length: ROWS }, (_, n) => rowOf(n)));
    await engine.checkpoint();
    await engine.close();
  });

  test.each<readonly [string, (engine: Engine) => Promise<unknown>]>([
    ['put', (engine) => verbsOf(engine).put(...CHOSEN.map((n) => rowOf(n, { n: -n, code: `d${n}` })))],
    ['create', (engine) => verbsOf(engine).create(...CHOSEN.map((n) => rowOf(n + 0.5, { code: `d${n}`, n: n * 31 })))],
    ['updateMany', (engine) => verbsOf(engine).updateMany({ part: 'some' }, { n: 7 })],
    ['deleteMany', (engine) => verbsOf(engine).deleteMany({ part: 'some' })],
    [
      'replace',
      (engine) => verbsOf(engine).replace(...CHOSEN.map((n) => ({ before: rowOf(n), after: rowOf(n, { n: 1 }) }))),
    ],
    [
      'a transaction',
      async (engine) => {
        const tx = beginOn(engine);
        await verbsOf(tx.raw).put(...CHOSEN.map((n) => rowOf(n, { n: -n, code: `d${n}` })));
        await tx.commit();
      },
    ],
  ])('[PAGE-3] %s', async (_, write) => {
    const { engine, reads } = await openCounting(copyMemoryImage(image), COLLECTIONS);
    const before = reads();
    await write(engine);
    expect(reads() - before).toBeGreaterThan(0);
    expect(reads() - before).toBeLessThanOrEqual(READS_MAX);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
    await engine.close();
  });

  test('[PAGE-3] recovery from the log', async () => {
    const copy = copyMemoryImage(image);
    const engine = await openOnImage(copy, COLLECTIONS);
    await verbsOf(engine).put(...CHOSEN.map((n) => rowOf(n, { n: -n, code: `d${n}` })));
    const crashed = copyMemoryImage(copy);
    await engine.close();
    expect(crashed.log.size).toBeGreaterThan(0);
    const { engine: again, reads } = await openCounting(crashed, COLLECTIONS);
    expect(reads()).toBeLessThanOrEqual(READS_MAX);
    expect(await verbsOf(again).get(rowOf(33)['id'] as string)).toMatchObject({ n: -33 });
    await again.close();
  });
});
