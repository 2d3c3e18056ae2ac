/**
 * Goal: bytes that were ever written are read for ever, and FORMAT.md says what they are.
 * Method: a stored fixture per version, and the worked example of the document itself.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeRows, encodeRows } from '../../src/base/codec/index.ts';

function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/[0-9a-f]{2}/g) ?? [], (byte) => Number.parseInt(byte, 16));
}

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

const EXAMPLE = [
  { id: 'a1', n: 7, done: true, at: new Date('2023-11-14T22:13:20.000Z'), tags: ['x', 'y'] },
  { id: 'a2', n: 9, done: false, price: 12.5, tags: [] },
];

test('the worked example of FORMAT.md is what is written and read', () => {
  const document = readFileSync(new URL('../../src/base/codec/FORMAT.md', import.meta.url), 'utf8');
  const block = /```hex\n(.*?)```/s.exec(document)![1]!;
  // A line is bytes, two spaces or more (one byte may be alone), and what they mean.
  const hex = block
    .split('\n')
    .map((line) => /^(?:[0-9a-f]{2}(?: (?=[0-9a-f]{2}(?: |$)))?)*/.exec(line)![0])
    .join('');
  expect(hexOf(encodeRows(EXAMPLE))).toBe(hex.replaceAll(' ', ''));
  expect(decodeRows(bytesOfHex(hex))).toEqual(EXAMPLE);
});

/** Never changed: stores out there hold such bytes. */
const FIXTURE_1 = `
  01ae020f030d000102030405060708090a0b0c060002030b0c0d0300020e0200a4aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0a080c
  01000300000000000000000000000000000000000000000000000000000000000000000000000000050000000100020003000400050006
  000700080009000a000b000c000d000e000f0010001100120013001400150016001700180019001a001b001c001d001e001f0020002100
  220023002400250026002700280029002a002b002c002d002e002f0030003100320033003400350036003700380039003a003b003c003d
  003e003f0040004100420043004400450046004700480049004a004b004c004d004e004f00500051005200530054005500560057005800
  59005a005b005c005d005e005f0060006100620063006400650066006700680069006a006b006c006d006e006f00700071007200730074
  00750076007700780079007a007b007c007d007e007f0080008100820083008400850086008700880089008a008b008c008d008e008f00
  90009100920093009400950096009700980099009a009b009c009d009e009f00a000a100a200a300a400a500a600a700a800a900aa00ab
  00ac00ad00ae00af00b000b100b200b300b400b500b600b700b800b900ba00bb00bc00bd00be00bf00c000c100c200c300c400c500c600
  c700c800c900ca00cb00cc00cd00ce00cf00d000d100d200d300d400d500d600d700d800d900da00db00dc00dd00de00df00e000e100e2
  00e300e400e500e600e700e800e900ea00eb00ec00ed00ee00ef00f000f100f200f300f400f500f600f700f800f900fa00fb00fc00fd00
  fe00ff0000010101020103010401050106010701080109010a010b010c010d010e010f0110011101120113011401150116011701180119
  011a011b011c011d011e011f0120012101220123012401250126012701280129012a012b01000000000101002549922449922449922449
  922449922449922449922449922449922449922449922449922409020a0000000000000080000000000000f041020a555555555555d53f
  02a08b4e0400fbd095ffbc31040a000000000000f87f030005000600040100ffff050000000209080603000508cd030021300400000001
  0000020882010002000100010101060000000702020200010201000100020300088101000100000201025083cef0020250bfbf20020a00
  0000000000f0ff030302002449922449922449922449922449922449922449922449922449922449922449922449922449922449922449
  922449922449922449922449922449922449922449922449922449922449925b226964222c22222c226f6e222c226e222c2266222c2270
  72696365222c226174222c226e65766572222c2274657874222c22726177222c22627566666572222c226c697374222c226f222c226578
  747261222c226b696e64222c226b31222c226b32222c225c756438303020c3a920f09f9880222c2274776f222c2264656570222c226369
  7479222c2267656f222c2242657267656e222c224f736c6f222c226c6174222c226c6e67222c2261222c2262222c2263225d3881
`;

const FIXTURE_1_ROWS = [
  {
    id: 'k1',
    '': null,
    on: true,
    n: -0,
    f: 1 / 3,
    price: -99.95,
    at: new Date(1_700_000_000_123),
    never: new Date(Number.NaN),
    text: '\ud800 \u00e9 \u{1f600}',
    raw: new Uint16Array([1, 65_535]),
    buffer: new Uint8Array([9, 8]).buffer,
    list: [1, 'two', null, [true, {}], { deep: [] }],
    o: { city: 'Bergen', geo: { lat: 60.39299, lng: 5.32415 } },
  },
  { id: 'k2', on: false, n: 4_294_967_296, list: [], o: { geo: null, city: 'Oslo' }, extra: Number.NEGATIVE_INFINITY },
  ...Array.from({ length: 300 }, (_, i) => ({ id: i, on: i % 3 === 0, kind: ['a', 'b', 'c'][i % 3] })),
];

test('a stored batch of version 1 is read', () => {
  expect(decodeRows(bytesOfHex(FIXTURE_1))).toStrictEqual(FIXTURE_1_ROWS);
});
