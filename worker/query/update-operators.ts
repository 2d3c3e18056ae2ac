/**
 * Changes of a row: fields to replace, or MongoDB's update operators on dotted paths. Everything here is pure: rows are
 * copied along the changed paths and otherwise shared.
 *
 * Rules: plain fields and operators do not mix; two operators never touch the same path or a path within it, so their
 * order has no meaning; the primary key stays. Equality and order of values are those of indexes.
 */
import { assertValue, isForbiddenKey, isPlainObject } from '../../src/base/codec/index.ts';
import { identical } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import type { Changes } from '../../src/protocol/engine-api.ts';
import { encodeComponent } from '../indexes/index.ts';
import { parsePath } from './paths.ts';
import { addToSet, pop, pull, push } from './update-arrays.ts';
import { refuseUpdate } from './update-errors.ts';
import { type Change, changeAt, nameOf, type Target } from './update-path.ts';
import { storable } from './update-value.ts';

/** A checked change, for any number of rows. */
export type Update = (row: Row) => Row;

/**
 * The row after the changes; the same object when they change nothing. Throws `update/...`, with details
 * `{ operator, path, rule }`, for changes that make no sense or do not fit the row, `query/forbidden-path` and
 * `row/forbidden-key` (S5), and `row/...` for values that cannot be stored.
 */
export function applyChanges(row: Row, changes: Changes, keyField: string): Row {
  return compileChanges(changes, keyField)(row);
}

/** Checks changes once, for many rows. */
export function compileChanges(changes: Changes, keyField: string): Update {
  if (!isPlainObject(changes))
    refuseUpdate('invalid-changes', { operator: '', path: '' }, 'object', 'Changes must be a plain object');
  const names = Object.keys(changes);
  const operator = names.find((name) => name.startsWith('$'));
  if (operator === undefined) return compileFields(changes, names, keyField);
  const field = names.find((name) => !name.startsWith('$'));
  if (field !== undefined) {
    refuseUpdate(
      'mixed-operators',
      { operator, path: field },
      'fields-or-operators',
      'Fields and operators cannot be mixed',
    );
  }
  return compileOperators(changes, names, keyField);
}

function compileFields(changes: Changes, names: readonly string[], keyField: string): Update {
  const fields = names.map((name) => {
    if (isForbiddenKey(name)) assertValue(changes, '');
    return { name, value: storable(changes[name], name) };
  });
  return (row) => {
    let result: Record<string, unknown> | undefined;
    for (const { name, value } of fields) {
      const own = Object.hasOwn(row, name);
      const target = { operator: '', path: name };
      if (!own && name.includes('.'))
        refuseUpdate('dotted-field', target, 'own-field', 'A plain field is no path, use $set');
      if (own ? identical(row[name], value) : value === undefined) continue;
      if (name === keyField && row[name] !== value) refuseKeyChange(target);
      result ??= { ...row };
      // Removed by a copy: `delete` would leave a slow object behind.
      if (value === undefined) result = without(result, name);
      else result[name] = value;
    }
    return result ?? row;
  };
}

function without(row: Row, name: string): Record<string, unknown> {
  const { [name]: _removed, ...rest } = row;
  return rest;
}

type Step = { readonly target: Target; readonly apply: Update };

function compileOperators(changes: Changes, operators: readonly string[], keyField: string): Update {
  const steps: Step[] = [];
  const targets: Target[] = [];
  for (const operator of operators) {
    if (!Object.hasOwn(OPERATORS, operator)) {
      refuseUpdate(
        'unknown-operator',
        { operator, path: '' },
        'known-operator',
        `There is no update operator '${operator}'`,
      );
    }
    const operands = changes[operator];
    if (!isPlainObject(operands)) {
      refuseUpdate('invalid-operand', { operator, path: '' }, 'object', 'An operator needs an object of paths');
    }
    for (const path of Object.keys(operands)) {
      const target = createTarget(operator, path);
      targets.push(target);
      if (operator === '$rename') {
        const step = renameStep(target, operands[path]);
        targets.push(step.target);
        steps.push(step);
      } else {
        const change = OPERATORS[operator as keyof typeof OPERATORS](operands[path], target);
        steps.push({ target, apply: (row) => changeAt(row, target, change) });
      }
    }
  }
  refuseConflicts(targets);
  return (row) => {
    let result = row;
    for (const { target, apply } of steps) {
      result = apply(result);
      if (row[keyField] !== result[keyField]) refuseKeyChange(target);
    }
    return result;
  };
}

function createTarget(operator: string, path: string): Target {
  const segments = parsePath(path);
  const wrong = segments.find((segment) => segment === '' || segment.startsWith('$'));
  if (wrong !== undefined) {
    refuseUpdate('invalid-path', { operator, path }, 'segment', `'${wrong}' cannot be a part of an update's path`);
  }
  return { operator, path, segments };
}

/** Sorted, a path stands right before the paths within it: '\0' is below every other character. */
function refuseConflicts(targets: readonly Target[]): void {
  const sorted = targets
    .map((target) => ({ target, key: `${target.segments.join('\0')}\0` }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  for (let i = 1; i < sorted.length; i++) {
    const [before, after] = [sorted[i - 1]!, sorted[i]!];
    if (after.key.startsWith(before.key)) {
      refuseUpdate(
        'conflicting-paths',
        after.target,
        'one-change-per-path',
        `'${before.target.path}' is changed as well`,
      );
    }
  }
}

function refuseKeyChange(target: { readonly operator: string; readonly path: string }): never {
  return refuseUpdate('primary-key', target, 'key-stays', 'The primary key of a row cannot change');
}

/** From an operand to the change it makes. `$rename` has two paths and is built by `renameStep`. */
const OPERATORS = {
  $set: (operand, target) => replaceBy(storable(operand, target.path)),
  $unset: () => () => undefined,
  $inc: (operand, target) => arithmetic(operand, target, (current, amount) => current + amount),
  $mul: (operand, target) => arithmetic(operand, target, (current, factor) => current * factor),
  $min: (operand, target) => extreme(operand, target, (operandKey, currentKey) => operandKey < currentKey),
  $max: (operand, target) => extreme(operand, target, (operandKey, currentKey) => operandKey > currentKey),
  $push: push,
  $pull: pull,
  $addToSet: addToSet,
  $pop: pop,
  $rename: () => () => undefined,
} satisfies Record<string, (operand: unknown, target: Target) => Change>;

/** Keeps the value that is there when it is the same, so that nothing counts as changed. */
function replaceBy(value: unknown): Change {
  return (current) => (identical(current, value) ? current : value);
}

function arithmetic(operand: unknown, target: Target, compute: (current: number, operand: number) => number): Change {
  if (typeof operand !== 'number') {
    return refuseUpdate('invalid-operand', target, 'number', `The operand is a ${nameOf(operand)}, not a number`);
  }
  return (current) => {
    if (current !== undefined && typeof current !== 'number') {
      return refuseUpdate('wrong-type', target, 'number', `The field holds a ${nameOf(current)}, not a number`);
    }
    // 0 * -1 is 0 to whoever counts with integers: adding 0 drops the sign.
    const result = compute(current ?? 0, operand) + 0;
    return Object.is(result, current) ? current : result;
  };
}

function extreme(operand: unknown, target: Target, wins: (operandKey: string, currentKey: string) => boolean): Change {
  const value = storable(operand, target.path);
  const key = encodeComponent(value);
  return (current) => (current === undefined || wins(key, encodeComponent(current)) ? value : current);
}

function renameStep(from: Target, operand: unknown): Step {
  if (typeof operand !== 'string')
    return refuseUpdate('invalid-operand', from, 'path', 'The new name must be a string');
  const to = createTarget('$rename', operand);
  return {
    target: to,
    apply(row) {
      let moved: unknown;
      const without = changeAt(row, from, (current) => {
        moved = current;
        return undefined;
      });
      if (moved === undefined) return row;
      refuseArrays(row, from);
      refuseArrays(without, to);
      return changeAt(without, to, () => moved);
    },
  };
}

function refuseArrays(row: Row, target: Target): void {
  let value: unknown = row;
  for (const segment of target.segments) {
    if (Array.isArray(value)) refuseUpdate('wrong-type', target, 'no-array', 'Elements of arrays cannot be renamed');
    value = isPlainObject(value) ? value[segment] : undefined;
  }
}
