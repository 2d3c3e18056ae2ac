/**
 * From a row to its group. A key of several fields is looked up part by part, so that no object or text is made for a row
 * whose group is known.
 */
import type { Row } from '../../../src/base/row.ts';
import type { Evaluate, ExpressionCompiler } from './expression.ts';
import { assertNames } from './expression.ts';
import { identityOf, isPlainObject } from './values.ts';

export type GroupKey = {
  readonly parts: readonly Evaluate[];
  /** Names of the parts; undefined when the key is the only part itself. */
  readonly names: readonly string[] | undefined;
};

export const singleKey = (evaluate: Evaluate): GroupKey => ({ parts: [evaluate], names: undefined });

/** `_id` of a `$group`. */
export function compileKey(spec: unknown, path: string, compiler: ExpressionCompiler): GroupKey {
  const names = isPlainObject(spec) ? Object.keys(spec) : [];
  if (names.length === 0 || names.some((name) => name.startsWith('$'))) return singleKey(compiler.compile(spec, path));
  assertNames(path, names, path);
  const fields = spec as Readonly<Record<string, unknown>>;
  return { parts: names.map((name) => compiler.compile(fields[name], `${path}.${name}`)), names };
}

/** Maps in maps, one level for each part. The last level has the numbers of groups. */
type Level = Map<unknown, Level | number>;

export class GroupNumbers {
  readonly #key: GroupKey;
  readonly #root: Level = new Map();
  readonly #values: unknown[];
  size = 0;

  constructor(key: GroupKey) {
    this.#key = key;
    this.#values = key.parts.map(() => undefined);
  }

  /** The row's group, or what `open` answers for a new one. */
  numberOf(row: Row, open: (id: unknown) => number): number {
    const level = this.#levelOf(row);
    const identity = this.#identity(this.#values.length - 1);
    const known = level.get(identity) as number | undefined;
    if (known !== undefined) return known;
    const group = open(this.#id());
    level.set(identity, group);
    this.size++;
    return group;
  }

  /** The row's group, which is forgotten when `isLast` says so. */
  leave(row: Row, isLast: (group: number) => boolean): number | undefined {
    const level = this.#levelOf(row);
    const identity = this.#identity(this.#values.length - 1);
    const group = level.get(identity) as number | undefined;
    if (group !== undefined && isLast(group) && level.delete(identity)) this.size--;
    return group;
  }

  numbers(level: Level = this.#root): number[] {
    return [...level.values()].flatMap((each) => (typeof each === 'number' ? each : this.numbers(each)));
  }

  #levelOf(row: Row): Level {
    const { parts } = this.#key;
    let level = this.#root;
    for (let i = 0; i < parts.length; i++) {
      this.#values[i] = parts[i]!(row);
      if (i === parts.length - 1) break;
      const identity = this.#identity(i);
      let next = level.get(identity) as Level | undefined;
      if (next === undefined) {
        next = new Map();
        level.set(identity, next);
      }
      level = next;
    }
    return level;
  }

  /** As a whole key a missing value is null; as a field of one it is another key. */
  #identity(part: number): unknown {
    const value = this.#values[part];
    return value === undefined && this.#key.names !== undefined ? MISSING : identityOf(value);
  }

  #id(): unknown {
    const { names } = this.#key;
    if (names === undefined) return this.#values[0] ?? null;
    const id: Record<string, unknown> = {};
    for (const [at, name] of names.entries()) if (this.#values[at] !== undefined) id[name] = this.#values[at];
    return id;
  }
}

const MISSING: unique symbol = Symbol('missing');
