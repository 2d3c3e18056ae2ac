/**
 * From a request to the changes that it means, against the head and without changing it. Everything that can be refused
 * is refused here, so what is prepared applies whole. May throw PAGE_MISS, and is then asked again.
 */
import { unreachable } from '../../src/base/assert.ts';
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { EncodedRows, WriteRequest } from '../../src/protocol/engine-api.ts';
import { FITS } from '../../src/protocol/field-fit.ts';
import type { FieldType } from '../../src/protocol/field-types.ts';
import { type CollectionState, encodePrimaryKey, entryList } from '../indexes/index.ts';
import { BlobRow, PAGE_MISS, wantKey } from '../pages/index.ts';
import { applyChanges } from '../query/index.ts';
import type { BlobWrite } from '../storage/index.ts';
import { DELETE_TOGETHER_MIN, type RowDeletes } from './delete-rows.ts';
import { type InsertSource, RowInserts, sourceOf } from './row-inserts.ts';
import type { StoreState } from './store-state.ts';
import { JoinedRows, joinStudied } from './studied-rows.ts';
import { type PreparedWrite, presentKeys, presentRows, type RowChange, storedRow } from './write-task.ts';

/** What is wrong with a row by the collection's schema, or the types of its fields; [] when nothing is. */
export type RowValidator = (row: Row) => readonly RowIssue[];
export type RowIssue = {
  readonly path: string;
  readonly rule: string;
  readonly message: string;
  /** Of a field that does not fit its type. */
  readonly type?: FieldType;
};

/** Where rows are looked up, and blobs numbered: the store, or what a transaction sees of it. */
export type PrepareState = Pick<StoreState, 'must' | 'wholeRow' | 'nextBlob'>;

export type PrepareContext = {
  readonly state: PrepareState;
  readonly validatorOf: (collection: CollectionState) => RowValidator | undefined;
  /** Encoded primary keys of the rows of the head that a selector finds. May throw PAGE_MISS. */
  readonly findKeys: (collection: CollectionState, selector: Readonly<Record<string, unknown>>) => readonly string[];
};

/** Most wrong rows that one error names. */
const WRONG_ROWS_MAX = 20;
/** Index keys can only be too long in rows with at least this many estimated bytes. */
export const LONG_KEY_ROW_BYTES: number = 512;

export function prepareWrite(context: PrepareContext, request: WriteRequest): PreparedWrite {
  const collection = context.state.must(request.collection);
  switch (request.type) {
    case 'create':
    case 'put':
      return prepareRows(context, collection, request);
    case 'update':
      return prepareUpdate(context, collection, [encodePrimaryKey(request.key)], request);
    case 'updateMany':
      return prepareUpdate(context, collection, context.findKeys(collection, request.selector), request);
    case 'delete':
      return prepareDelete(context, collection, [encodePrimaryKey(request.key)], ([removed]) => removed !== undefined);
    case 'deleteMany':
      return prepareDelete(context, collection, context.findKeys(collection, request.selector), ({ length }) => length);
    case 'replace':
      return prepareReplace(context, collection, request.rows);
    default:
      return unreachable(request);
  }
}

/** The rows that an update would give: what a page validates with a schema that only the page has. */
export function previewUpdate(
  { state, findKeys }: PrepareContext,
  request: Extract<WriteRequest, { type: 'update' | 'updateMany' }>,
): readonly { readonly before: Row; readonly after: Row }[] {
  const collection = state.must(request.collection);
  const keys = request.type === 'update' ? [encodePrimaryKey(request.key)] : findKeys(collection, request.selector);
  return presentRows(state, collection, keys).flatMap((present) => {
    if (present === undefined) return [];
    return [{ before: present.before, after: applyChanges(present.before, request.changes, collection.spec.key) }];
  });
}

type WrongRow = { readonly row: number; readonly key: unknown; readonly code: string; readonly rule: string };

function prepareRows(
  context: PrepareContext,
  collection: CollectionState,
  request: Extract<WriteRequest, { type: 'create' | 'put' }>,
): PreparedWrite {
  const studied = joinStudied(collection.spec.key, request.parts);
  if (studied !== undefined) {
    const inserts = planInserts(context, collection, studied);
    if (inserts !== undefined) return insertsOf(collection, inserts, request.encoded);
  }
  const { rows } = request;
  const { state } = context;
  const wrong: WrongRow[] = [];
  const errors: StoreError[] = [];
  const refuse = (row: number, error: StoreError): void => {
    if (errors.length === 0) errors.push(error);
    if (wrong.length < WRONG_ROWS_MAX) {
      wrong.push({ row, key: rows[row]?.[collection.spec.key], code: error.code, rule: error.message });
    }
  };
  const keys: string[] = new Array(rows.length);
  let isAscending = true;
  for (let i = 0; i < rows.length; i += 1) {
    try {
      keys[i] = encodePrimaryKey(collection.keyOf(rows[i]!));
      if (i > 0 && keys[i - 1]! >= keys[i]!) isAscending = false;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      refuse(i, withCollection(error, collection));
      keys[i] = '';
    }
  }
  throwWrong(collection, rows.length, wrong, errors);
  const validate = context.validatorOf(collection);
  const hasUnique = collection.indexes.some(({ spec }) => spec.unique);
  const inserts = studied === undefined ? planInserts(context, collection, { keys, rows, isAscending }) : undefined;
  if (inserts !== undefined) return insertsOf(collection, inserts, request.encoded);
  const order = Array.from(keys.keys());
  if (!isAscending) order.sort((a, b) => (keys[a]! < keys[b]! ? -1 : keys[a]! > keys[b]! ? 1 : a - b));
  const changes: RowChange[] = [];
  const blobs: BlobWrite[] = [];
  let previous: string | undefined;
  const present = presentForWrite(state, collection, keys, request.type);
  for (const at of order) {
    const row = rows[at]!;
    const key = keys[at]!;
    try {
      if (key === previous) {
        if (request.type === 'create') throw duplicateKey(collection, row, 'twice in this call');
        if (changes.pop()?.after?.stored instanceof BlobRow) blobs.pop();
      }
      previous = key;
      const before = present?.[at];
      if (before !== undefined && request.type === 'create') throw duplicateKey(collection, row, 'present');
      if (validate !== undefined) checkSchema(collection, row, validate);
      const after = storedRow(state, collection, key, row, blobs);
      collection.checkKeyLengths(key, row, LONG_KEY_ROW_BYTES);
      if (hasUnique && rows.length === 1) collection.checkUnique(key, row);
      changes.push({ key, before: before?.before, freedBlob: before?.freedBlob, after });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      refuse(at, error);
    }
  }
  throwWrong(collection, rows.length, wrong, errors);
  if (hasUnique && rows.length > 1) {
    checkUniqueTogether(collection, changes, (error, { after }) => refuse(rows.indexOf(after!.row), error));
    throwWrong(collection, rows.length, wrong, errors);
  }
  const encoded = blobs.length === 0 && isAscending ? request.encoded : undefined;
  return { collection, changes, encoded, blobs, value: undefined };
}

/** From so many rows on, inserting tree by tree pays. */
const BULK_ROWS_MIN = 32;

/**
 * New rows of a collection in the form that costs least, or undefined when one of them needs a closer look: a key that
 * is present or comes twice, a unique index, a large row, one that breaks the schema.
 */
function planInserts(
  { validatorOf }: PrepareContext,
  collection: CollectionState,
  given:
    | JoinedRows
    | { readonly keys: readonly string[]; readonly rows: readonly Row[]; readonly isAscending: boolean },
): RowInserts | undefined {
  if (given.keys.length < BULK_ROWS_MIN) return undefined;
  if (collection.indexes.some(({ spec }) => spec.unique)) return undefined;
  let source = given instanceof JoinedRows ? given : sourceOf(given.keys, given.rows);
  if (source.weights.some((bytes) => bytes >= LONG_KEY_ROW_BYTES)) return undefined;
  if (!given.isAscending) {
    source = inOrder(source);
    const { keys } = source;
    if (keys.some((key, at) => at > 0 && key === keys[at - 1])) return undefined;
  }
  const { keys } = source;
  if (!collection.primary.isBelow(keys[0]!) && presentKeys(collection, keys).includes(true)) return undefined;
  const validate = validatorOf(collection);
  if (validate !== undefined && source.rows.some((row) => validate(row).length > 0)) return undefined;
  return new RowInserts(source);
}

/** The same rows in the order of their keys. */
function inOrder(given: InsertSource): InsertSource {
  const { keys, rows, weights } = given;
  const order = Array.from(keys.keys()).sort((a, b) => (keys[a]! < keys[b]! ? -1 : 1));
  const sorted = sourceOf(
    order.map((at) => keys[at]!),
    order.map((at) => rows[at]!),
    order.map((at) => weights[at]!),
  );
  return { ...sorted, entriesIn: (index) => given.entriesIn(index) };
}

const insertsOf = (
  collection: CollectionState,
  inserts: RowInserts,
  encoded: EncodedRows | undefined,
): PreparedWrite => ({ collection, changes: [], inserts, encoded, blobs: [], value: undefined });

/** Rows that single calls create, prepared together; undefined when they have to be prepared one by one. */
export function prepareCreates(context: PrepareContext, name: string, rows: readonly Row[]): PreparedWrite | undefined {
  const collection = context.state.must(name);
  const keys = rows.map((row) => encodePrimaryKey(collection.keyOf(row)));
  const isAscending = keys.every((key, at) => at === 0 || keys[at - 1]! < key);
  const inserts = planInserts(context, collection, { keys, rows, isAscending });
  return inserts && insertsOf(collection, inserts, undefined);
}

/** What is there under the keys of a call; undefined when nothing can be. */
function presentForWrite(
  state: PrepareState,
  collection: CollectionState,
  keys: readonly string[],
  type: 'create' | 'put',
): readonly ({ readonly before: Row; readonly freedBlob: number | undefined } | undefined)[] | undefined {
  if (collection.primary.count === 0) return undefined;
  if (type === 'put') return presentRows(state, collection, keys);
  // A create refuses a present row whatever it holds: its large values need not be read.
  return presentKeys(collection, keys).map((isPresent) =>
    isPresent ? { before: {}, freedBlob: undefined } : undefined,
  );
}

/** Unique indexes against the rows of the same call, and against those that the call leaves alone. */
export function checkUniqueTogether(
  collection: CollectionState,
  changes: readonly RowChange[],
  refuse: (error: StoreError, change: RowChange) => void,
): void {
  const changed = new Set(changes.map(({ key }) => key));
  const seen = new Map<string, string>();
  for (const change of changes) {
    if (change.after === undefined) continue;
    try {
      collection.checkUnique(change.key, change.after.row, { ignored: changed, seen });
    } catch (error) {
      if (error === PAGE_MISS) wantUnique(collection, changes);
      if (!(error instanceof StoreError)) throw error;
      refuse(error, change);
    }
  }
}

/** Asks for the pages of all values, after a page miss. */
function wantUnique({ indexes }: CollectionState, changes: readonly RowChange[]): void {
  for (const index of indexes) {
    if (!index.spec.unique) continue;
    const { space, root } = index.tree;
    for (const { after } of changes)
      for (const entry of entryList(after && index.entriesOf(after.row))) wantKey(space, root, entry);
  }
}

function prepareUpdate(
  context: PrepareContext,
  collection: CollectionState,
  keys: readonly string[],
  request: Extract<WriteRequest, { type: 'update' | 'updateMany' }>,
): PreparedWrite {
  const changed: { key: string; before: Row; after: Row; freedBlob: number | undefined }[] = [];
  for (const [at, present] of presentRows(context.state, collection, keys).entries()) {
    if (present === undefined) continue;
    const after = applyChanges(present.before, request.changes, collection.spec.key);
    changed.push({ key: keys[at]!, before: present.before, after, freedBlob: present.freedBlob });
  }
  const value = request.type === 'updateMany' ? changed.length : changed[0]?.after;
  return prepareReplacements(context, collection, changed, value);
}

function prepareReplace(
  context: PrepareContext,
  collection: CollectionState,
  rows: readonly { readonly before: Row; readonly after: Row }[],
): PreparedWrite {
  const changed: { key: string; before: Row; after: Row; freedBlob: number | undefined }[] = [];
  const seen = new Set<string>();
  const keys = rows.map(({ before }) => encodePrimaryKey(collection.keyOf(before)));
  const found = presentRows(context.state, collection, keys);
  for (const [at, { before, after }] of rows.entries()) {
    const key = keys[at]!;
    if (seen.has(key)) throw duplicateKey(collection, before, 'twice in this call');
    seen.add(key);
    const present = found[at];
    if (present === undefined || !deepEqual(present.before, before)) {
      return { collection, changes: [], encoded: undefined, blobs: [], value: false };
    }
    if (encodePrimaryKey(collection.keyOf(after)) !== key) {
      throw new StoreError('update/changes-key', `An update of ${collection.spec.name} must not change the key.`, {
        details: { collection: collection.spec.name, key: collection.keyOf(before) },
        hint: 'Delete the row and create another.',
      });
    }
    changed.push({ key, before: present.before, after, freedBlob: present.freedBlob });
  }
  return prepareReplacements(context, collection, changed, true);
}

function prepareReplacements(
  context: PrepareContext,
  collection: CollectionState,
  changed: readonly { key: string; before: Row; after: Row; freedBlob: number | undefined }[],
  value: unknown,
): PreparedWrite {
  const validate = context.validatorOf(collection);
  const changes: RowChange[] = [];
  const blobs: BlobWrite[] = [];
  for (const { key, before, after, freedBlob } of changed) {
    if (after === before) continue;
    if (validate !== undefined) checkSchema(collection, after, validate);
    collection.checkKeyLengths(key, after, LONG_KEY_ROW_BYTES);
    changes.push({ key, before, freedBlob, after: storedRow(context.state, collection, key, after, blobs) });
  }
  if (collection.indexes.some(({ spec }) => spec.unique)) {
    checkUniqueTogether(collection, changes, (error) => {
      throw error;
    });
  }
  return { collection, changes, encoded: undefined, blobs, value };
}

function prepareDelete(
  { state }: PrepareContext,
  collection: CollectionState,
  keys: readonly string[],
  answer: (changes: readonly RowChange[]) => unknown,
): PreparedWrite {
  const changes: RowChange[] = [];
  for (const [at, present] of presentRows(state, collection, keys).entries()) {
    if (present !== undefined) changes.push({ key: keys[at]!, ...present, after: undefined });
  }
  return { collection, changes, encoded: undefined, blobs: [], value: answer(changes) };
}

/** `keys` are of rows that are present. Many of them are looked at only when they are deleted. */
export function prepareDeleteMany(
  context: PrepareContext,
  collection: CollectionState,
  keys: readonly string[],
): PreparedWrite {
  if (keys.length < DELETE_TOGETHER_MIN) return prepareDelete(context, collection, keys, ({ length }) => length);
  const deletes: RowDeletes = { keys: keys.toSorted(), removed: [], freedBlobs: [] };
  return { collection, changes: [], deletes, encoded: undefined, blobs: [], value: keys.length };
}

export function checkSchema(collection: CollectionState, row: Row, validate: RowValidator): void {
  const issues = validate(row);
  if (issues.length === 0) return;
  const first = issues[0]!;
  const key = collection.keyOf(row);
  if (first.type !== undefined) throw unfitField(collection, key, first.path, first.type, first.message);
  throw new StoreError(
    'collection/invalid-document',
    `Document ${JSON.stringify(key)} of ${collection.spec.name} breaks its schema at ${first.path}: ${first.message}`,
    {
      details: { collection: collection.spec.name, key, issues: issues.slice(0, WRONG_ROWS_MAX) },
      hint: `Nothing was stored. Correct ${first.path} and try again; details.issues has all that is wrong.`,
    },
  );
}

function unfitField(
  { spec: { name } }: CollectionState,
  key: Key,
  field: string,
  type: FieldType,
  problem: string,
): StoreError {
  return new StoreError(
    'collection/unfit-value',
    `Document ${JSON.stringify(key)} of ${name}: field ${JSON.stringify(field)} ${problem}.`,
    {
      details: { collection: name, key, field, type, fits: FITS[type] },
      hint: `Nothing was stored. A field of type ${type} holds ${FITS[type]}.`,
    },
  );
}

function duplicateKey(collection: CollectionState, row: Row, where: 'present' | 'twice in this call'): StoreError {
  const key = collection.keyOf(row);
  return new StoreError(
    'collection/duplicate-key',
    `Key ${JSON.stringify(key)} of ${collection.spec.name} is ${where}.`,
    {
      details: { collection: collection.spec.name, field: collection.spec.key, key },
      hint:
        where === 'present'
          ? 'Use put() to replace a row, or update() to change it.'
          : 'Give each row a key of its own.',
    },
  );
}

function withCollection(error: StoreError, collection: CollectionState): StoreError {
  return new StoreError(error.code, `${collection.spec.name}: ${error.message}`, {
    details: { collection: collection.spec.name, field: collection.spec.key, ...error.details },
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}

/** One wrong row throws its own error; several throw one that names up to 20 of them. */
function throwWrong(
  collection: CollectionState,
  rowCount: number,
  wrong: readonly WrongRow[],
  errors: readonly StoreError[],
): void {
  const [first] = errors;
  if (first === undefined) return;
  if (rowCount === 1) throw first;
  throw new StoreError(first.code, `${first.message} Nothing of the call was stored.`, {
    details: { ...first.details, collection: collection.spec.name, rows: wrong },
    ...(first.hint === undefined ? {} : { hint: first.hint }),
  });
}
