/**
 * Pages on disk; FORMAT.md beside this file has the byte map. Numbers here are permanent.
 * Decoding never trusts a byte: a page that fails its checksum, names another id or another tree is `page/damaged`.
 */
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts';
import { decodeRows, encodeRows } from '../../src/base/codec/index.ts';
import { crc32c } from '../../src/base/crc32c.ts';
import { toPageId } from '../../src/base/ids.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { Branch, Leaf, type TreeNode } from './node.ts';

const MAGIC = 0x5043;
const VERSION = 1;
const HEADER_BYTES = 20;
const CHECKSUM_AT = 4;
const PAGE_TYPES = { rows: 1, keys: 2, branch: 3, chain: 4 } as const;

/** A row that is too large for a page and lives in the blob store. */
export class BlobRow {
  readonly key: string;
  readonly blob: number;
  readonly bytes: number;

  constructor(key: string, blob: number, bytes: number) {
    this.key = key;
    this.blob = blob;
    this.bytes = bytes;
  }
}

/** What a tree's leaves hold. Keys of rows are not stored: they are computed from the rows. */
export type PageKind =
  | { readonly type: 'rows'; readonly keyOf: (row: Row) => string; readonly weigh: (row: unknown) => number }
  | { readonly type: 'keys' };

export type DecodedPage =
  | { readonly type: 'node'; readonly node: TreeNode; readonly tree: number }
  | { readonly type: 'chain'; readonly parts: readonly number[] };

const KEY_OVERHEAD_BYTES = 20;
const encoder: TextEncoder = new TextEncoder();
const decoder: TextDecoder = new TextDecoder();

/** A node as the bytes of its page. All children must have pages by now. */
export function encodePage(node: TreeNode, page: number, tree: number): Uint8Array {
  const writer = startPage(
    node.isLeaf ? (node.hasValues ? PAGE_TYPES.rows : PAGE_TYPES.keys) : PAGE_TYPES.branch,
    page,
    tree,
  );
  if (!node.isLeaf) writeBranch(writer, node);
  else if (node.values !== undefined) writeRows(writer, node.values);
  else writeKeys(writer, node.keys);
  return finishPage(writer);
}

/** The page that names the parts of an image too large for one record. */
export function encodeChain(page: number, tree: number, parts: readonly number[]): Uint8Array {
  const writer = startPage(PAGE_TYPES.chain, page, tree);
  writer.varint(parts.length);
  for (const part of parts) writer.varint(part);
  return finishPage(writer);
}

export function decodePage(
  page: number,
  image: Uint8Array | undefined,
  kinds: ReadonlyMap<number, PageKind>,
): DecodedPage {
  if (image === undefined) throw new StoreError('page/missing', `Page ${page} is missing.`, { details: { page } });
  const damaged = (reason: string, cause?: unknown): StoreError =>
    new StoreError('page/damaged', `Page ${page} is damaged: ${reason}.`, {
      details: { page, reason },
      hint: 'Run store.verify({ repair: true }): indexes are rebuilt, and rows that cannot be read are named.',
      ...(cause === undefined ? {} : { cause }),
    });
  if (image.length < HEADER_BYTES) throw damaged('it is shorter than a header');
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (view.getUint16(0, true) !== MAGIC) throw damaged('it does not begin as a page does');
  if (view.getUint8(2) !== VERSION) throw damaged(`its version is ${view.getUint8(2)}, known is ${VERSION}`);
  if (checksumOf(image) !== view.getUint32(CHECKSUM_AT, true)) throw damaged('its checksum does not match');
  if (view.getFloat64(8, true) !== page) throw damaged(`it was written as page ${view.getFloat64(8, true)}`);
  const tree = view.getUint32(16, true);
  const kind = kinds.get(tree);
  if (kind === undefined) throw damaged(`it belongs to an unknown tree ${tree}`);
  const reader = new ByteReader(image.subarray(HEADER_BYTES));
  try {
    const type = view.getUint8(3);
    if (type === PAGE_TYPES.chain) return { type: 'chain', parts: readChain(reader) };
    const node = readNode(reader, type, kind);
    node.page = page;
    return { type: 'node', node, tree };
  } catch (error) {
    throw damaged('its content does not decode', error);
  }
}

function startPage(type: number, page: number, tree: number): ByteWriter {
  const writer = new ByteWriter();
  writer.byte(MAGIC & 0xff);
  writer.byte(MAGIC >>> 8);
  writer.byte(VERSION);
  writer.byte(type);
  writer.uint32(0);
  writer.float64(page);
  writer.uint32(tree);
  return writer;
}

function finishPage(writer: ByteWriter): Uint8Array {
  const image = writer.finish();
  new DataView(image.buffer).setUint32(CHECKSUM_AT, checksumOf(image), true);
  return image;
}

/** Of everything but itself. */
function checksumOf(image: Uint8Array): number {
  return crc32c(image.subarray(CHECKSUM_AT + 4), crc32c(image.subarray(0, CHECKSUM_AT)));
}

function readNode(reader: ByteReader, type: number, kind: PageKind): TreeNode {
  if (type === PAGE_TYPES.branch) return readBranch(reader);
  if (type === PAGE_TYPES.rows && kind.type === 'rows') return readRows(reader, kind);
  if (type === PAGE_TYPES.keys && kind.type === 'keys') return readKeys(reader);
  throw new StoreError('codec/damaged', `A page of type ${type} is not part of a tree of ${kind.type}.`);
}

function writeRows(writer: ByteWriter, values: readonly unknown[]): void {
  const rows: Row[] = [];
  const blobs: (readonly [number, BlobRow])[] = [];
  for (const [at, value] of values.entries()) {
    if (value instanceof BlobRow) blobs.push([at, value]);
    else rows.push(value as Row);
  }
  writer.varint(blobs.length);
  for (const [at, blob] of blobs) {
    writer.varint(at);
    writer.text(JSON.stringify(blob.key));
    writer.varint(blob.blob);
    writer.varint(blob.bytes);
  }
  writer.bytes(encodeRows(rows));
}

function readRows(reader: ByteReader, kind: Extract<PageKind, { type: 'rows' }>): Leaf {
  const blobs: (readonly [number, BlobRow])[] = [];
  for (let count = reader.count(4); count > 0; count -= 1) {
    const at = reader.varint();
    const key = JSON.parse(reader.text()) as string;
    blobs.push([at, new BlobRow(key, reader.varint(), reader.varint())]);
  }
  const values: unknown[] = decodeRows(reader.rest());
  for (const [at, blob] of blobs) values.splice(at, 0, blob);
  const keys = new Array<string>(values.length);
  let bytes = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i];
    const key = value instanceof BlobRow ? value.key : kind.keyOf(value as Row);
    keys[i] = key;
    bytes += key.length + KEY_OVERHEAD_BYTES + kind.weigh(value);
  }
  return new Leaf(0, keys, values, bytes);
}

/**
 * Keys as one JSON text of their suffixes behind the prefix that all share. Parsing JSON gives flat strings; slices of
 * the text would keep it in memory as long as one key lives.
 */
function writeKeys(writer: ByteWriter, keys: readonly string[]): void {
  const prefix = sharedPrefix(keys);
  writer.text(JSON.stringify(prefix));
  writer.bytes(encoder.encode(JSON.stringify(prefix === '' ? keys : keys.map((key) => key.slice(prefix.length)))));
}

function readKeys(reader: ByteReader): Leaf {
  const prefix = reader.text().slice(1, -1);
  const text = decoder.decode(reader.rest());
  const keys = JSON.parse(
    text === '[]' || prefix === '' ? text : `["${prefix}${text.slice(2, -2).split('","').join(`","${prefix}`)}"]`,
  ) as string[];
  let bytes = 0;
  for (const key of keys) bytes += key.length + KEY_OVERHEAD_BYTES;
  return new Leaf(0, keys, undefined, bytes);
}

/** Keys are sorted, so what the first and the last share, all share. */
function sharedPrefix(keys: readonly string[]): string {
  const first = keys[0] ?? '';
  const last = keys[keys.length - 1] ?? '';
  let same = 0;
  while (same < first.length && first.charCodeAt(same) === last.charCodeAt(same)) same += 1;
  return first.slice(0, same);
}

function writeBranch(writer: ByteWriter, node: Branch): void {
  writer.text(JSON.stringify(node.keys));
  writer.varint(node.children.length);
  for (const [at, child] of node.children.entries()) {
    writer.varint(typeof child === 'number' ? child : child.page);
    writer.varint(node.counts[at]!);
  }
}

function readBranch(reader: ByteReader): Branch {
  const keys = JSON.parse(reader.text()) as string[];
  const children: number[] = [];
  const counts: number[] = [];
  for (let count = reader.count(2); count > 0; count -= 1) {
    children.push(reader.varint());
    counts.push(reader.varint());
  }
  if (keys.length !== children.length - 1) throw new StoreError('codec/damaged', 'A branch has lost a separator.');
  return new Branch(0, keys, children, counts);
}

function readChain(reader: ByteReader): readonly number[] {
  const parts: number[] = [];
  for (let count = reader.count(1); count > 0; count -= 1) parts.push(toPageId(reader.varint()));
  return parts;
}
