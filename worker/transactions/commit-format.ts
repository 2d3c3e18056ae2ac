/**
 * What a frame of the log carries: commits, each a list of operations. FORMAT.md beside this file has the byte map.
 * The rows of all small writes of a frame stand in one batch, so that their field names are written once; a bulk insert
 * brings batches that were encoded before it reached the engine. Numbers here are permanent.
 */
import { unreachable } from '../../src/base/assert.ts';
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts';
import { decodeRows, encodeRows } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { CollectionSpec, IndexSpec } from '../../src/protocol/definition.ts';
import type { MigrationMark } from '../indexes/index.ts';

/** A change of the catalogue: what collections and indexes there are. Tree ids are given by the engine. */
export type CatalogueChange =
  | { readonly type: 'create-collection'; readonly id: number; readonly tree: number; readonly spec: CollectionSpec }
  | { readonly type: 'alter-collection'; readonly id: number; readonly spec: CollectionSpec }
  | { readonly type: 'create-index'; readonly collection: number; readonly tree: number; readonly index: IndexSpec }
  | { readonly type: 'drop-index'; readonly collection: number; readonly name: string }
  /** Stands in one commit with the rows that it speaks of: those up to a key are now of version `to`. */
  | ({ readonly type: 'migrate-rows'; readonly collection: number } & MigrationMark)
  /** All rows are. */
  | { readonly type: 'end-migration'; readonly collection: number; readonly version: number };

/** The value of an answer: of an update, which answers its row, where that row is. */
export type AnsweredValue =
  | { readonly type: 'value'; readonly value: number | boolean | undefined }
  | { readonly type: 'row'; readonly collection: number; readonly key: string };

export type AnsweredOperation = {
  readonly type: 'answered';
  readonly client: string;
  readonly call: number;
  readonly answer: AnsweredValue;
  /** Of the page beside the writer: it is told before anything more is stored, so only the last such commits matter. */
  readonly isOwn?: true;
};

export type Operation =
  | {
      readonly type: 'put';
      readonly collection: number;
      readonly rows: readonly Row[];
      readonly encoded?: readonly Uint8Array[];
    }
  | {
      readonly type: 'put-blob';
      readonly collection: number;
      readonly key: string;
      readonly blob: number;
      readonly bytes: number;
    }
  | { readonly type: 'delete'; readonly collection: number; readonly keys: readonly string[] }
  | { readonly type: 'catalogue'; readonly change: CatalogueChange }
  /** That a call of a tab was done, and what it is answered. */
  | AnsweredOperation;

export type Commit = readonly Operation[];

const VERSION = 1;
/** Of frames that tell about a migration: a package that does not know them would take its rows for old ones. */
const VERSION_OF_MIGRATION = 2;
/** Of frames with calls of other tabs: a package that does not know them could do such a call twice. */
const VERSION_OF_TABS = 3;
/** Of frames with calls of the leader's own page. */
const VERSION_OF_OWN = 4;
/** Of frames with the definition of a synchronised collection: a package that knows no marks would change its rows without. */
const VERSION_OF_SYNC = 5;
const OPERATIONS = { put: 1, putEncoded: 2, putBlob: 3, delete: 4, catalogue: 5, answered: 6, answeredOwn: 7 } as const;
/** Kinds of answers of `answeredOwn`. */
const ANSWERS = { nothing: 0, no: 1, yes: 2, number: 3, row: 4 } as const;
/** Reserved for the origin of a commit. */
const NO_FLAGS = 0;

/** Parts that follow each other in the frame; bulk batches are not copied. */
export function encodeCommits(commits: readonly Commit[]): readonly Uint8Array[] {
  const rows: Row[] = [];
  const parts: Uint8Array[] = [];
  let writer = new ByteWriter();
  writer.varint(commits.length);
  for (const commit of commits) {
    writer.byte(NO_FLAGS);
    writer.varint(commit.length);
    for (const operation of commit) {
      if (operation.type === 'put' && operation.encoded !== undefined) {
        writer.byte(OPERATIONS.putEncoded);
        writer.varint(operation.collection);
        writer.varint(operation.encoded.length);
        for (const batch of operation.encoded) {
          writer.varint(batch.length);
          parts.push(writer.finish(), batch);
          writer = new ByteWriter();
        }
      } else {
        writeOperation(writer, operation, rows);
      }
    }
  }
  parts.push(writer.finish());
  const shared = rows.length === 0 ? new Uint8Array(0) : encodeRows(rows);
  const head = new ByteWriter();
  head.byte(versionOf(commits));
  head.varint(shared.length);
  return [head.finish(), shared, ...parts];
}

function versionOf(commits: readonly Commit[]): number {
  const has = (is: (operation: Operation) => boolean): boolean => commits.some((commit) => commit.some(is));
  if (has(isOfSync)) return VERSION_OF_SYNC;
  if (has((operation) => operation.type === 'answered' && operation.isOwn === true)) return VERSION_OF_OWN;
  if (has(({ type }) => type === 'answered')) return VERSION_OF_TABS;
  return has(isOfMigration) ? VERSION_OF_MIGRATION : VERSION;
}

const isOfSync = (operation: Operation): boolean =>
  operation.type === 'catalogue' && 'spec' in operation.change && operation.change.spec.sync === true;

const isOfMigration = (operation: Operation): boolean =>
  operation.type === 'catalogue' &&
  (operation.change.type === 'migrate-rows' || operation.change.type === 'end-migration');

function writeOperation(writer: ByteWriter, operation: Operation, rows: Row[]): void {
  switch (operation.type) {
    case 'put':
      writer.byte(OPERATIONS.put);
      writer.varint(operation.collection);
      writer.varint(operation.rows.length);
      for (const row of operation.rows) rows.push(row);
      return;
    case 'put-blob':
      writer.byte(OPERATIONS.putBlob);
      writer.varint(operation.collection);
      writer.text(JSON.stringify(operation.key));
      writer.varint(operation.blob);
      writer.varint(operation.bytes);
      return;
    case 'delete':
      writer.byte(OPERATIONS.delete);
      writer.varint(operation.collection);
      // JSON escapes lone surrogates, which plain UTF-8 would lose.
      writer.text(JSON.stringify(operation.keys));
      return;
    case 'catalogue': {
      writer.byte(OPERATIONS.catalogue);
      const change = encodeRows([operation.change as unknown as Row]);
      writer.varint(change.length);
      writer.bytes(change);
      return;
    }
    case 'answered': {
      if (operation.isOwn === true) return writeOwn(writer, operation);
      writer.byte(OPERATIONS.answered);
      const { client, call, answer } = operation;
      const bytes = encodeRows([{ client, call, ...answer }]);
      writer.varint(bytes.length);
      writer.bytes(bytes);
      return;
    }
    default:
      unreachable(operation);
  }
}

/** Written with each commit of the leader's page: a batch with one row would cost several times as much. */
function writeOwn(writer: ByteWriter, { client, call, answer }: AnsweredOperation): void {
  writer.byte(OPERATIONS.answeredOwn);
  writer.text(client);
  writer.varint(call);
  if (answer.type === 'row') {
    writer.byte(ANSWERS.row);
    writer.varint(answer.collection);
    return writer.text(JSON.stringify(answer.key));
  }
  const { value } = answer;
  if (typeof value === 'number') {
    writer.byte(ANSWERS.number);
    writer.float64(value);
  } else writer.byte(value === undefined ? ANSWERS.nothing : value ? ANSWERS.yes : ANSWERS.no);
}

function readOwn(reader: ByteReader): AnsweredOperation {
  const client = reader.text();
  const call = reader.varint();
  const kind = reader.byte();
  const answer: AnsweredValue =
    kind === ANSWERS.row
      ? { type: 'row', collection: reader.varint(), key: JSON.parse(reader.text()) as string }
      : {
          type: 'value',
          value:
            kind === ANSWERS.number ? reader.float64() : kind === ANSWERS.nothing ? undefined : kind === ANSWERS.yes,
        };
  return { type: 'answered', isOwn: true, client, call, answer };
}

export function decodeCommits(payload: Uint8Array): readonly Commit[] {
  const reader = new ByteReader(payload);
  const version = reader.byte();
  if (version < VERSION || version > VERSION_OF_SYNC) {
    throw new StoreError(
      'store/newer-version',
      `A frame of the log has version ${version}; this package knows ${VERSION_OF_SYNC}.`,
      {
        hint: 'Open the store with the version of the package that wrote it, or a later one.',
      },
    );
  }
  const sharedBytes = reader.varint();
  const shared = sharedBytes === 0 ? [] : decodeRows(reader.bytes(sharedBytes));
  let at = 0;
  const takeRows = (count: number): readonly Row[] => {
    at += count;
    return shared.slice(at - count, at);
  };
  const commits: Commit[] = [];
  for (let count = reader.count(2); count > 0; count -= 1) {
    reader.byte();
    const commit: Operation[] = [];
    for (let left = reader.count(2); left > 0; left -= 1) commit.push(readOperation(reader, takeRows));
    commits.push(commit);
  }
  return commits;
}

function readOperation(reader: ByteReader, takeRows: (count: number) => readonly Row[]): Operation {
  const type = reader.byte();
  switch (type) {
    case OPERATIONS.put:
      return { type: 'put', collection: reader.varint(), rows: takeRows(reader.varint()) };
    case OPERATIONS.putEncoded: {
      const collection = reader.varint();
      const rows: Row[] = [];
      for (let count = reader.count(1); count > 0; count -= 1) {
        for (const row of decodeRows(reader.bytes(reader.varint()))) rows.push(row);
      }
      return { type: 'put', collection, rows };
    }
    case OPERATIONS.putBlob: {
      const collection = reader.varint();
      const key = JSON.parse(reader.text()) as string;
      return { type: 'put-blob', collection, key, blob: reader.varint(), bytes: reader.varint() };
    }
    case OPERATIONS.delete:
      return { type: 'delete', collection: reader.varint(), keys: JSON.parse(reader.text()) as string[] };
    case OPERATIONS.catalogue: {
      const [change] = decodeRows(reader.bytes(reader.varint()));
      return { type: 'catalogue', change: change as unknown as CatalogueChange };
    }
    case OPERATIONS.answered: {
      const [row] = decodeRows(reader.bytes(reader.varint()));
      const { client, call, ...answer } = row as { client: string; call: number } & AnsweredValue;
      return {
        type: 'answered',
        client,
        call,
        answer: answer.type === 'row' ? answer : { type: 'value', value: answer.value },
      };
    }
    case OPERATIONS.answeredOwn:
      return readOwn(reader);
    default:
      throw new StoreError('codec/damaged', `Unknown operation ${type} in a commit.`);
  }
}
