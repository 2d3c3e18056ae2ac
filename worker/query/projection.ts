/**
 * Which fields of a row an answer has. Either paths to include or paths to exclude, as MongoDB has it: the key is
 * included unless it is excluded; a path leads through arrays into the objects in them; fields keep their order.
 */
import { isPlainObject } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { parsePath } from './paths.ts';

export type Projection = {
  readonly apply: (row: Row) => Row;
  /** Whether what stands at a path is whole in the projected row. */
  readonly keeps: (path: string) => boolean;
  /** Whether rows have nothing but their key: then an index is enough to make them. */
  readonly isKeyOnly: boolean;
};

/** Most paths of one projection. */
export const PROJECTION_PATHS_MAX = 1_000;

/** Fields by name: `true` at the end of a path. */
type PathTree = Map<string, PathTree | true>;
type Fields = Readonly<Record<string, unknown>>;

/** Undefined when nothing is left out. Throws `query/invalid-projection`, with the path to the wrong part. */
export function compileProjection(project: unknown, keyField: string): Projection | undefined {
  if (project === undefined) return undefined;
  if (!isPlainObject(project)) throw refusal('', 'must be an object of paths with 1 or 0');
  const entries = Object.entries(project).filter(([, way]) => way !== undefined);
  if (entries.length > PROJECTION_PATHS_MAX) throw refusal('', `has more than ${PROJECTION_PATHS_MAX} paths`);
  const ways = new Map(entries.map(([path, way]) => [path, isIncluded(path, way)]));
  const keyWay = ways.get(keyField);
  ways.delete(keyField);
  const [first] = ways.values();
  // A key alone says which kind it is; beside others it may be of the other kind.
  const includes = first ?? keyWay ?? false;
  for (const [path, way] of ways) {
    if (way !== includes) throw refusal(path, 'must not mix included and excluded paths; only the key may differ');
  }
  const hasKey = keyWay ?? true;
  if (hasKey === includes) ways.set(keyField, includes);
  const tree: PathTree = new Map();
  for (const path of ways.keys()) addPath(tree, path);
  if (tree.size === 0 && !includes) return undefined;
  return {
    apply: includes ? (row) => included(row, tree) : (row) => excluded(row, tree),
    keeps: (path) => (includes ? isBelow(tree, path) : !touches(tree, path)),
    isKeyOnly: includes && tree.size === 1 && tree.get(keyField) === true,
  };
}

function isIncluded(path: string, way: unknown): boolean {
  if (path.startsWith('$') || path.includes('.$')) throw refusal(path, 'is an operator; projections have paths only');
  if (typeof way !== 'boolean' && typeof way !== 'number') throw refusal(path, 'must be 1 or 0');
  return Boolean(way);
}

function addPath(tree: PathTree, path: string): void {
  let level = tree;
  const segments = parsePath(path);
  for (const [at, segment] of segments.entries()) {
    const known = level.get(segment);
    const isLast = at === segments.length - 1;
    if (known === true || (isLast && known !== undefined)) throw refusal(path, 'overlaps with another path');
    if (isLast) level.set(segment, true);
    else {
      const next: PathTree = known ?? new Map();
      level.set(segment, next);
      level = next;
    }
  }
}

function included(fields: Fields, tree: PathTree): Row {
  const result: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    const below = tree.get(name);
    if (below === undefined) continue;
    const value = below === true ? fields[name] : includedBelow(fields[name], below);
    if (value !== undefined) result[name] = value;
  }
  return result;
}

/** What is no container has nothing to include. */
function includedBelow(value: unknown, tree: PathTree): unknown {
  if (Array.isArray(value)) {
    return value.flatMap((element) => {
      const kept = includedBelow(element, tree);
      return kept === undefined ? [] : [kept];
    });
  }
  return isPlainObject(value) ? included(value, tree) : undefined;
}

function excluded(fields: Fields, tree: PathTree): Row {
  const result: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    const below = tree.get(name);
    if (below === true) continue;
    result[name] = below === undefined ? fields[name] : excludedBelow(fields[name], below);
  }
  return result;
}

function excludedBelow(value: unknown, tree: PathTree): unknown {
  if (Array.isArray(value)) return value.map((element) => excludedBelow(element, tree));
  return isPlainObject(value) ? excluded(value, tree) : value;
}

/** Whether a path, or one above it, is in the tree. */
function isBelow(tree: PathTree, path: string): boolean {
  let level: PathTree | true | undefined = tree;
  for (const segment of path.split('.')) {
    if (level === true) return true;
    level = level?.get(segment);
  }
  return level === true;
}

/** Whether a path, or one above or below it, is in the tree. */
function touches(tree: PathTree, path: string): boolean {
  let level: PathTree | true | undefined = tree;
  for (const segment of path.split('.')) {
    if (level === true || level === undefined) return level === true;
    level = level.get(segment);
  }
  return level !== undefined;
}

const refusal = (path: string, rule: string): StoreError =>
  new StoreError('query/invalid-projection', `project${path === '' ? '' : ` at ${path}`} ${rule}.`, {
    details: { path, rule },
    hint: "For example { title: 1, 'address.city': 1 }, or { notes: 0 }.",
  });
