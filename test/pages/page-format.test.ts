/**
 * Goal: a page is read back as it was written, or not at all. Method: nodes of every kind go through bytes; then every byte is
 * changed in every bit, images are cut, exchanged and given to other trees.
 */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import { type PageKind, PageSpace } from '../../worker/pages/index.ts';
import { Branch, Leaf, type TreeNode } from '../../worker/pages/node.ts';
import { BlobRow, decodePage, encodeChain, encodePage } from '../../worker/pages/page-format.ts';
import { createMemoryImage, createMemoryStorage } from '../../worker/storage/index.ts';
import { codeOf } from '../engine/engine-verbs.ts';

const KINDS: ReadonlyMap<number, PageKind> = new Map<number, PageKind>([
  [1, { type: 'rows', keyOf: ({ id }) => String(id), weigh: () => 10 }],
  [2, { type: 'keys' }],
]);
const PAGE = 77;

const rows = (values: readonly unknown[]): Leaf =>
  new Leaf(
    1,
    values.map((value) => (value instanceof BlobRow ? value.key : String((value as Row)['id']))),
    [...values],
    0,
  );
const keys = (...all: readonly string[]): Leaf => new Leaf(1, [...all], undefined, 0);

const NODES: readonly (readonly [name: string, node: TreeNode, tree: number])[] = [
  [
    'rows',
    rows([
      { id: 'a', n: 1, d: new Date(5), b: new Uint8Array([1]) },
      { id: 'b', n: null, o: { x: [1, -0] } },
    ]),
    1,
  ],
  ['rows with large ones', rows([new BlobRow('A', 3, 70_000), { id: 'a' }, new BlobRow('b\ud800', 4, 1)]), 1],
  ['no rows', rows([]), 1],
  ['keys', keys('3done\bt1', '3open\bt2', '3open\bt3'), 2],
  ['one key', keys('3only\bt1'), 2],
  ['no keys', keys(), 2],
  ['keys that share half of a pair', keys('x\ud83d\ude00', 'x\ud83d\ude01'), 2],
  ['keys with quotes', keys('","', '"a\\","b', '\\', '\\\\"'), 2],
  // As long a prefix as makes the number of children of a branch plausible.
  ['keys with a long prefix', keys(...Array.from({ length: 40 }, (_, at) => `${'p'.repeat(90)}${at + 100}`)), 2],
  ['branch', new Branch(1, ['g', 'p\ud800'], [5, 6, 2 ** 40], [10, 0, 2 ** 33]), 2],
  ['branch of one', new Branch(1, [], [5], [10]), 1],
];

const decode = (image: Uint8Array | undefined, page = PAGE): TreeNode => {
  const decoded = decodePage(page, image, KINDS);
  if (decoded.type !== 'node') throw new Error('A chain.');
  return decoded.node;
};

const codeOfDecoding = (image: Uint8Array | undefined, page = PAGE, kinds = KINDS): string => {
  try {
    decodePage(page, image, kinds);
    return 'ok';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
};

const contentOf = (node: TreeNode): unknown =>
  node.isLeaf
    ? { keys: node.keys, values: node.values }
    : { keys: node.keys, children: node.children, counts: node.counts };

describe.each(NODES)('%s', (_name, node, tree) => {
  const image = encodePage(node, PAGE, tree);

  test('come back as they were', () => {
    expect(contentOf(decode(image))).toEqual(contentOf(node));
    expect(decode(image).page).toBe(PAGE);
  });

  test('[B7] any changed bit, and any changed byte of the header, is damage', () => {
    for (let at = 0; at < image.length; at += 1) {
      const changes = at < 20 ? Array.from({ length: 255 }, (_, each) => each + 1) : [1, 2, 4, 8, 16, 32, 64, 128];
      for (const change of changes) {
        const damaged = image.slice();
        damaged[at]! ^= change;
        expect(codeOfDecoding(damaged), `byte ${at} ^ ${change}`).toBe('page/damaged');
      }
    }
  });

  test('cut anywhere, it is damage', () => {
    for (let length = 0; length < image.length; length += 1) {
      expect(codeOfDecoding(image.subarray(0, length))).toBe('page/damaged');
    }
  });

  test('under another id, or of a tree that is not known, it is damage', () => {
    expect(codeOfDecoding(image, PAGE + 1)).toBe('page/damaged');
    expect(codeOfDecoding(image, PAGE, new Map())).toBe('page/damaged');
    const other = tree === 1 ? 2 : 1;
    // A branch says nothing of the kind of its tree; a leaf does.
    if (node.isLeaf) expect(codeOfDecoding(encodePage(node, PAGE, other))).toBe('page/damaged');
  });
});

test('[B10] a page that is not there is missing, and says which', () => {
  expect(() => decodePage(9, undefined, KINDS)).toThrow(
    expect.objectContaining({ code: 'page/missing', details: { page: 9 } }),
  );
});

describe('a chain', () => {
  async function chained(): Promise<{ readonly space: PageSpace; readonly pages: Map<number, Uint8Array> }> {
    const image = createMemoryImage();
    const whole = encodePage(keys('a'.repeat(100), `${'a'.repeat(100)}b`), PAGE, 2);
    image.pages.set(1, whole.subarray(0, 50));
    image.pages.set(2, whole.subarray(50));
    image.pages.set(PAGE, encodeChain(PAGE, 2, [1, 2]));
    const space = new PageSpace(createMemoryStorage(image).pages, { cacheBytesMax: 0 });
    for (const [tree, kind] of KINDS) space.register(tree, kind);
    return { space, pages: image.pages };
  }

  test('is read through its parts', async () => {
    const { space } = await chained();
    const node = await space.whenResident(() => space.resolve(PAGE));
    expect(node).toMatchObject({ page: PAGE, parts: [1, 2], keys: [expect.any(String), expect.stringMatching(/b$/)] });
  });

  test('without a part, with parts exchanged, or with a damaged part is an error', async () => {
    const story: readonly (readonly [string, (pages: Map<number, Uint8Array>) => void])[] = [
      ['page/missing', (pages) => pages.delete(2)],
      ['page/damaged', (pages) => pages.set(PAGE, encodeChain(PAGE, 2, [2, 1]))],
      ['page/damaged', (pages) => pages.set(PAGE, encodeChain(PAGE, 2, []))],
      ['page/damaged', (pages) => pages.set(PAGE, encodeChain(PAGE, 2, [0, 1]))],
      [
        'page/damaged',
        (pages) =>
          pages.set(
            2,
            pages.get(2)!.map((byte) => byte ^ 1),
          ),
      ],
      // A chain whose parts are a chain would be followed for ever.
      ['page/damaged', (pages) => pages.set(1, encodeChain(PAGE, 2, [1])).set(PAGE, encodeChain(PAGE, 2, [1]))],
    ];
    for (const [code, damage] of story) {
      const { space, pages } = await chained();
      damage(pages);
      const reading = (async () => space.whenResident(() => space.resolve(PAGE)))();
      expect(await codeOf(reading), String(damage)).toBe(code);
    }
  });
});
