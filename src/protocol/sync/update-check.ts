/**
 * Looks through a Yjs update (version 1) before Yjs does. Yjs trusts counts and lengths that it reads: an update of a
 * few bytes can make it loop for minutes or ask for gigabytes (yjs issues 479, 498, 687). Whatever passes here is read
 * by Yjs in time and memory that are in proportion to its bytes. It never throws anything but `sync/invalid-update`.
 */
import { StoreError } from '../../base/store-error.ts';
import { WireReader } from './wire-reader.ts';

/** Far beyond what a document reaches by editing, and sums of clocks stay exact. */
const CLOCK_MAX = 2 ** 45;
/** Yjs draws client ids of 32 bits, we of up to 53. */
const CLIENT_MAX: number = Number.MAX_SAFE_INTEGER;
/** Structs of one update: more than a frame of usual size can hold. */
export const STRUCTS_MAX = 100_000;
/**
 * Writers in one update. Yjs takes time by the square of how many wrote one field at once: 0.3 s for this many, 1 s for
 * twice as many.
 */
const CLIENTS_MAX = 10_000;
/** Nesting of plain values: as deep as a document may be. */
const DEPTH_MAX = 64;
const NAME_BYTES_MAX = 4096;

/** Keys that would reach a prototype where somebody assigns them to a plain object (rule S5). */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

const HAS_ORIGIN = 0x80;
const HAS_RIGHT_ORIGIN = 0x40;
const HAS_PARENT_SUB = 0x20;
const KIND = 0x1f;
/** Structs that are not there yet. */
const GAP = 10;

export type UpdateFacts = {
  /** Items, deleted ranges and gaps. 0 structs and 0 deletions change nothing. */
  readonly structCount: number;
  readonly deletionCount: number;
};

/** Told of what is in an update, in its order. */
export interface UpdateVisitor {
  struct(client: number, clock: number, length: number): void;
  deleted(client: number, clock: number, length: number): void;
}

export const checkUpdate = (update: Uint8Array): UpdateFacts => walkUpdate(update, undefined);

export function walkUpdate(update: Uint8Array, visitor: UpdateVisitor | undefined): UpdateFacts {
  try {
    const reader = new WireReader(update);
    const structCount = readStructs(reader, visitor);
    const deletionCount = readDeletions(reader, visitor);
    reader.end();
    return { structCount, deletionCount };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new StoreError('sync/invalid-update', `Not a sound Yjs update: ${error.message}`, {
      details: { bytes: update.length },
      hint: 'Send updates as Yjs 13 encodes them (version 1), without subdocuments.',
    });
  }
}

/** A state vector: pairs of client and clock. */
export function checkStateVector(vector: Uint8Array): void {
  try {
    const reader = new WireReader(vector);
    const count = reader.count(2, STRUCTS_MAX, 'The number of clients');
    for (let index = 0; index < count; index++) {
      reader.bounded(CLIENT_MAX, 'A client');
      reader.bounded(CLOCK_MAX, 'A clock');
    }
    reader.end();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new StoreError('sync/invalid-update', `Not a state vector: ${error.message}`);
  }
}

function readStructs(reader: WireReader, visitor: UpdateVisitor | undefined): number {
  const clients = new Set<number>();
  const blockCount = reader.count(4, CLIENTS_MAX, 'The number of clients');
  let structCount = 0;
  for (let block = 0; block < blockCount; block++) {
    const count = reader.count(2, STRUCTS_MAX, 'The number of structs');
    if (count === 0) throw invalid('A client has no structs.');
    structCount += count;
    if (structCount > STRUCTS_MAX) throw invalid(`There are more than ${STRUCTS_MAX} structs.`);
    const client = reader.varint();
    if (clients.has(client)) throw invalid('A client is there twice.');
    clients.add(client);
    let clock = reader.bounded(CLOCK_MAX, 'A clock');
    for (let index = 0; index < count; index++) {
      const isGap = (reader.peek() & KIND) === GAP;
      const length = readStruct(reader);
      if (!isGap) visitor?.struct(client, clock, length);
      clock += length;
      if (clock > CLOCK_MAX) throw invalid('A clock is too large.');
    }
  }
  return structCount;
}

function readDeletions(reader: WireReader, visitor: UpdateVisitor | undefined): number {
  const clientCount = reader.count(2, STRUCTS_MAX, 'The number of clients with deletions');
  let deletionCount = 0;
  for (let each = 0; each < clientCount; each++) {
    const client = reader.bounded(CLIENT_MAX, 'A client');
    const count = reader.count(2, STRUCTS_MAX, 'The number of deleted ranges');
    deletionCount += count;
    if (deletionCount > STRUCTS_MAX) throw invalid(`There are more than ${STRUCTS_MAX} deleted ranges.`);
    for (let index = 0; index < count; index++) {
      const clock = reader.bounded(CLOCK_MAX, 'A clock');
      const length = readLength(reader);
      visitor?.deleted(client, clock, length);
    }
  }
  return deletionCount;
}

/** Answers the struct's length in clock ticks. None is 0: Yjs would not get past it. */
function readStruct(reader: WireReader): number {
  const info = reader.byte();
  const kind = info & KIND;
  // Collected garbage and gaps have no neighbours.
  if (kind === 0 || kind === GAP) return readLength(reader);
  const hasOrigin = (info & HAS_ORIGIN) !== 0;
  const hasRightOrigin = (info & HAS_RIGHT_ORIGIN) !== 0;
  if (hasOrigin) readId(reader);
  if (hasRightOrigin) readId(reader);
  if (!hasOrigin && !hasRightOrigin) readParent(reader, (info & HAS_PARENT_SUB) !== 0);
  const readContent = CONTENTS[kind];
  if (readContent === undefined) throw invalid(`There is no content of kind ${kind}.`);
  return readContent(reader);
}

function readParent(reader: WireReader, hasSub: boolean): void {
  if (reader.bounded(1, 'The kind of a parent') === 1) readKey(reader, 'a root type');
  else readId(reader);
  if (hasSub) readKey(reader, 'a field');
}

function readId(reader: WireReader): void {
  reader.bounded(CLIENT_MAX, 'A client');
  reader.bounded(CLOCK_MAX, 'A clock');
}

function readLength(reader: WireReader): number {
  const length = reader.bounded(CLOCK_MAX, 'A length');
  if (length === 0) throw invalid('A struct is empty.');
  return length;
}

function readKey(reader: WireReader, what: string): void {
  const key = reader.text(NAME_BYTES_MAX, what);
  if (FORBIDDEN_KEYS.has(key)) throw invalid(`The name ${key} is not allowed.`);
}

/** By the number in the struct's first byte. */
const CONTENTS: readonly (((reader: WireReader) => number) | undefined)[] = [
  undefined,
  readLength,
  readJsonValues,
  (reader) => {
    reader.block();
    return 1;
  },
  (reader) => {
    const { length } = reader.utf8(reader.varint(), 'A text');
    if (length === 0) throw invalid('A text is empty.');
    return length;
  },
  (reader) => {
    readJson(reader);
    return 1;
  },
  (reader) => {
    readKey(reader, 'a format');
    readJson(reader);
    return 1;
  },
  readType,
  readAnyValues,
  () => {
    // Its options would be handed to a new Y.Doc as they are.
    throw invalid('Subdocuments are not supported.');
  },
];

function readType(reader: WireReader): number {
  const type = reader.bounded(6, 'The kind of a type');
  // An XML element and an XML hook have a name.
  if (type === 3 || type === 5) readKey(reader, 'an element');
  return 1;
}

function readJsonValues(reader: WireReader): number {
  const count = reader.count(1, STRUCTS_MAX, 'The number of values');
  if (count === 0) throw invalid('A list of values is empty.');
  for (let index = 0; index < count; index++) {
    const text = reader.utf8(reader.varint(), 'A value');
    if (text !== 'undefined') checkJson(text);
  }
  return count;
}

function readJson(reader: WireReader): void {
  checkJson(reader.utf8(reader.varint(), 'A value'));
}

function checkJson(text: string): void {
  let depth = 0;
  let isInText = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '\\' && isInText) at++;
    else if (character === '"') isInText = !isInText;
    else if (isInText) continue;
    else if (character === '[' || character === '{') depth++;
    else if (character === ']' || character === '}') depth--;
    if (depth > DEPTH_MAX) throw invalid(`A value is nested deeper than ${DEPTH_MAX}.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid('A value is not JSON.');
    throw error;
  }
  checkJsonKeys(value);
}

/** Within `DEPTH_MAX` calls of itself: the text was looked at before. */
function checkJsonKeys(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (FORBIDDEN_KEYS.has(key) && !Array.isArray(value)) throw invalid(`The name ${key} is not allowed.`);
    checkJsonKeys(inner);
  }
}

function readAnyValues(reader: WireReader): number {
  const count = reader.count(1, STRUCTS_MAX * 10, 'The number of values');
  if (count === 0) throw invalid('A list of values is empty.');
  for (let index = 0; index < count; index++) readAny(reader, 0);
  return count;
}

/** lib0's encoding of any value: one byte of type, counted down from 127. */
function readAny(reader: WireReader, depth: number): void {
  if (depth > DEPTH_MAX) throw invalid(`A value is nested deeper than ${DEPTH_MAX}.`);
  const type = reader.byte();
  switch (type) {
    case 127: // undefined
    case 126: // null
    case 121: // false
    case 120: // true
      return;
    case 125:
      return readSignedVarint(reader);
    case 124:
      return void reader.bytes(4);
    case 123:
    case 122:
      return void reader.bytes(8);
    case 119:
      return void reader.utf8(reader.varint(), 'A text');
    case 118: {
      const count = reader.count(2, STRUCTS_MAX * 10, 'The number of fields');
      for (let index = 0; index < count; index++) {
        const key = reader.utf8(reader.varint(), 'A field');
        if (FORBIDDEN_KEYS.has(key)) throw invalid(`The name ${key} is not allowed.`);
        readAny(reader, depth + 1);
      }
      return;
    }
    case 117: {
      const count = reader.count(1, STRUCTS_MAX * 10, 'The number of elements');
      for (let index = 0; index < count; index++) readAny(reader, depth + 1);
      return;
    }
    case 116:
      return void reader.block();
    default:
      throw invalid(`There is no value of type ${type}.`);
  }
}

/** Six bits with the sign in the first byte, then seven bits a byte. */
function readSignedVarint(reader: WireReader): void {
  let byte = reader.byte();
  let value = byte & 0x3f;
  for (let unit = 64; byte >= 0x80; unit *= 128) {
    byte = reader.byte();
    value += (byte & 0x7f) * unit;
    if (value > Number.MAX_SAFE_INTEGER) throw invalid('A number is longer than 53 bits.');
  }
}

const invalid = (text: string): StoreError => new StoreError('sync/invalid-update', text);
