/**
 * From an application's definition to what the engine gets. Everything wrong is refused here, by name. It runs in the
 * worker, which has what the page was given as plain data: the page would have to download it.
 */
import { isForbiddenKey } from '../base/codec/index.ts';
import { StoreError } from '../base/store-error.ts';
import { checkOptions } from './check-options.ts';
import { toConflictSpec } from './conflict-options.ts';
import type { CollectionSpec, IndexSpec, Selector } from './definition.ts';
import { assertFieldTypes } from './field-types.ts';

const INDEXES_MAX = 64;
const INDEX_PATHS_MAX = 16;
/** Each is looked at whenever a row is synchronised. */
const FIELDS_MAX = 100;
const NAME_LENGTH_MAX = 64;

/** Members of a store: a collection of that name could not be reached. Some belong to later versions. */
const RESERVED =
  /^(collection|transaction|status\$|status|sync|conflicts\$|health|verify|compact|migrations\$|tabs\$|export|import|metrics\$|doc|close|destroy|then|name|toString|valueOf|toJSON|hasOwnProperty|isPrototypeOf|propertyIsEnumerable|toLocaleString)$/;
const OPTIONS = ['key', 'schema', 'indexes', 'version', 'migrations', 'sync', 'fields', 'conflict'];
const LATER_OPTIONS = ['ttl', 'relays'];
const INDEX_OPTIONS = ['on', 'name', 'unique', 'multi', 'sparse', 'caseInsensitive', 'where'];

/**
 * `definition`: as given to `defineCollection`, without a Standard Schema, which is the page's. `isSynced`: whether the
 * store is, unless the definition says otherwise.
 */
export function toCollectionSpec(name: string, definition: unknown, isSynced?: boolean): CollectionSpec {
  const refuse = (rule: string): never => {
    throw new StoreError('collection/invalid-definition', `Collection ${JSON.stringify(name)}: ${rule}.`, {
      details: { collection: name, rule },
    });
  };
  if (nameProblem(name) !== undefined) refuse(`its name ${nameProblem(name)}`);
  if (RESERVED.test(name)) refuse('its name is a member of the store');
  if (!isObject(definition)) return refuse('its definition is not an object');
  checkOptions(definition, OPTIONS, LATER_OPTIONS, 'collection', { collection: name });
  const raw: RawDefinition = definition;
  const { key = 'id', schema, indexes = [], version = 1, sync, fields } = raw;
  const steps: unknown = JSON.parse(raw.migrations ?? '{}');
  const keyProblem = fieldProblem(key);
  if (keyProblem !== undefined || key.includes('.')) refuse(`key ${keyProblem ?? 'is not a top-level field'}`);
  if (!Number.isSafeInteger(version) || version < 1) refuse('version is not a whole number of 1 or more');
  if (!isObject(steps)) return refuse('migrations is not an object of functions by version');
  const migrations = Object.keys(steps);
  for (const step of migrations) {
    const to = Number(step);
    if (!Number.isSafeInteger(to) || to < 2 || to > version)
      refuse(`migrations.${step} is not a version from 2 to ${version}`);
  }
  if (schema !== undefined && !isObject(schema)) refuse('schema is neither a Standard Schema nor a JSON Schema object');
  if (sync !== undefined && typeof sync !== 'boolean') refuse('sync is not true or false');
  if (fields !== undefined && !isObject(fields)) refuse('fields is not an object of types by field');
  if (Object.keys(fields ?? {}).length > FIELDS_MAX) refuse(`it has more than ${FIELDS_MAX} fields with a type`);
  if (fields !== undefined && Object.hasOwn(fields, key)) refuse(`fields has its key, ${key}, which has no type`);
  const types: Readonly<Record<string, unknown>> = fields ?? {};
  assertFieldTypes(types, name);
  // The sync worker's, and not kept: it may be another one at the next opening.
  toConflictSpec(raw.conflict, { name, key, fields: types });
  if (!Array.isArray(indexes)) refuse('indexes is not an array');
  if (indexes.length > INDEXES_MAX) refuse(`it has more than ${INDEXES_MAX} indexes`);
  const specs: IndexSpec[] = [];
  for (const index of indexes) {
    const spec = toIndexSpec(name, index);
    if (specs.some((other) => other.name === spec.name)) refuseIndex(name, spec.name, 'another index has its name');
    specs.push(spec);
  }
  return {
    name,
    key,
    indexes: specs,
    jsonSchema: schema,
    version,
    ...((isSynced || sync !== undefined) && { sync: sync ?? true }),
    ...(fields !== undefined && { fields: types }),
    migrations: migrations.map(Number),
  };
}

type RawDefinition = {
  readonly key?: string;
  readonly schema?: Readonly<Record<string, unknown>>;
  readonly indexes?: readonly unknown[];
  readonly version?: number;
  readonly sync?: boolean;
  readonly fields?: Readonly<Record<string, unknown>>;
  /** JSON text. The functions are the page's: here are the versions that they lead to. */
  readonly migrations?: string;
  /** As `toConflictSpec` takes it. */
  readonly conflict?: unknown;
};

/** `index`: a path, paths, or an object with options (`IndexInput`). */
export function toIndexSpec(collection: string, index: unknown): IndexSpec {
  const input = (isObject(index) ? index : { on: index }) as { readonly [option: string]: unknown };
  const paths: readonly unknown[] = Array.isArray(input['on']) ? input['on'] : [input['on']];
  const { name = paths.join('+'), where } = input as { name?: string; where?: Selector };
  const refuse = (rule: string): never => refuseIndex(collection, name, rule);
  checkOptions(input, INDEX_OPTIONS, [], 'index', { collection, index: name });
  if (paths.length === 0) refuse('it has no path');
  if (paths.length > INDEX_PATHS_MAX) refuse(`it has more than ${INDEX_PATHS_MAX} paths`);
  for (const path of paths) {
    const problem = fieldProblem(path);
    if (problem !== undefined) refuse(`path ${JSON.stringify(path)} ${problem}`);
  }
  if (new Set(paths).size < paths.length) refuse('it has a path twice');
  if (typeof name !== 'string' || name === '' || name.length > INDEX_PATHS_MAX * 256)
    refuse('its name is not a string');
  if (isForbiddenKey(name)) refuse('its name is a forbidden key');
  for (const flag of ['unique', 'multi', 'sparse', 'caseInsensitive']) {
    if (input[flag] !== undefined && typeof input[flag] !== 'boolean') refuse(`${flag} is not true or false`);
  }
  if (input['multi'] === true && paths.length > 1) refuse('multi takes one path');
  if (where !== undefined && !isObject(where)) refuse('where is not a selector');
  return {
    name,
    on: paths as string[],
    unique: input['unique'] === true,
    multi: input['multi'] === true,
    sparse: input['sparse'] === true,
    caseInsensitive: input['caseInsensitive'] === true,
    where,
  };
}

/** Why a collection's name is none, or undefined. */
function nameProblem(name: unknown): string | undefined {
  if (typeof name !== 'string' || name === '') return 'is not a string with at least one character';
  if (name.length > NAME_LENGTH_MAX) return `is longer than ${NAME_LENGTH_MAX} characters`;
  if (!/^[\w-]+$/.test(name)) return 'has other characters than letters, digits, _ and -';
  return isForbiddenKey(name) ? 'is a forbidden key' : undefined;
}

/** Why a dotted path is none, or undefined. */
function fieldProblem(path: unknown): string | undefined {
  if (typeof path !== 'string') return 'is not a string';
  const segments = path.split('.');
  if (segments.includes('')) return 'has an empty segment';
  if (segments.some(isForbiddenKey)) return 'has a forbidden key';
  return segments.some((segment) => segment.startsWith('$')) ? 'has a segment that begins with $' : undefined;
}

function refuseIndex(collection: string, index: unknown, rule: string): never {
  throw new StoreError('index/invalid-definition', `Index ${JSON.stringify(index)} of ${collection}: ${rule}.`, {
    details: { collection, index, rule },
  });
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
