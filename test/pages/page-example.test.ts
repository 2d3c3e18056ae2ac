/** Goal: the worked example of worker/pages/FORMAT.md is what the code writes. Method: encode it and compare the bytes. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Leaf } from '../../worker/pages/node.ts';
import { decodePage, encodePage } from '../../worker/pages/page-format.ts';
import { bytesOfExample } from '../oracle/format-example.ts';

test('the worked example of a page is what is written, and reads back', () => {
  const leaf = new Leaf(1, ['3done\bt1', '3open\bt2'], undefined, 0);
  const image = encodePage(leaf, 5, 7);
  expect([...image]).toEqual(bytesOfExample(readFileSync('worker/pages/FORMAT.md', 'utf8')));
  const decoded = decodePage(5, image, new Map([[7, { type: 'keys' }]]));
  expect(decoded).toMatchObject({ type: 'node', tree: 7, node: { keys: ['3done\bt1', '3open\bt2'] } });
});
