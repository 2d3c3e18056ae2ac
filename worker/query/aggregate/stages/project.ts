/**
 * `$project` and `$unset`: fields kept, fields computed, or fields left out. `_id` and the collection's key stay unless
 * they are left out by name.
 */
import type { Row } from '../../../../src/base/row.ts';
import type { Evaluate, ExpressionCompiler } from '../expression.ts';
import { invalidPipeline, wrongOperand } from '../pipeline-errors.ts';
import { isPlainObject } from '../values.ts';
import { addLeaf, type FieldTree, parseFieldPath } from './field-spec.ts';
import { type CompileStage, eachRow, type StagePlan } from './stage.ts';

type Leaf = 'keep' | 'drop' | Evaluate;
type Tree = FieldTree<Leaf>;
type Fields = Readonly<Record<string, unknown>>;
type MutableFields = Record<string, unknown>;

export const compileProject: CompileStage = (spec, path, context) => {
  if (!isPlainObject(spec) || Object.keys(spec).length === 0) throw wrongOperand(path, 'takes an object of fields');
  const tree: Tree = new Map();
  addFields(tree, [], spec, path, context.compiler);
  const always = ['_id', context.keyField];
  const dropped = always.filter((name) => tree.get(name) === 'drop');
  for (const name of dropped) tree.delete(name);
  const kinds = new Set(leavesOf(tree).map((leaf) => (leaf === 'drop' ? 'drop' : 'keep')));
  if (kinds.size > 1) throw invalidPipeline(path, 'keeps some fields and leaves others out; only keys may be left out');
  if (!kinds.has('keep')) {
    for (const name of dropped) tree.set(name, 'drop');
    return dropping('$project', tree);
  }
  for (const name of always) if (!dropped.includes(name) && !tree.has(name)) tree.set(name, 'keep');
  const project = keeping(tree);
  return eachRow('$project', (row) => project(row, row));
};

export const compileUnset: CompileStage = (spec, path) => {
  const fields: readonly unknown[] = Array.isArray(spec) ? spec : [spec];
  if (fields.length === 0) throw wrongOperand(path, 'takes the path of a field, or several');
  const tree: Tree = new Map();
  for (const field of fields) addLeaf(tree, parseFieldPath(field, path), 'drop', path);
  return dropping('$unset', tree);
};

function addFields(
  tree: Tree,
  above: readonly string[],
  spec: Fields,
  path: string,
  compiler: ExpressionCompiler,
): void {
  for (const [field, value] of Object.entries(spec)) {
    const place = `${path}.${field}`;
    const segments = [...above, ...parseFieldPath(field, path)];
    compiler.countNode(place);
    if (value === 1 || value === true || typeof value === 'number') {
      addLeaf(tree, segments, value === 0 ? 'drop' : 'keep', place);
    } else if (value === false) addLeaf(tree, segments, 'drop', place);
    else if (isPlainObject(value) && !Object.keys(value).some((name) => name.startsWith('$'))) {
      if (Object.keys(value).length === 0) throw wrongOperand(place, 'has no fields');
      addFields(tree, segments, value, place, compiler);
    } else addLeaf(tree, segments, compiler.compile(value, place), place);
  }
}

const leavesOf = (tree: Tree): readonly Leaf[] =>
  [...tree.values()].flatMap((node) => (node instanceof Map ? leavesOf(node) : [node]));

type Keep = (value: Fields, row: Row) => Fields;

/** Keeps what is named, in the document's order, and puts what is computed behind it. */
function keeping(tree: Tree): Keep {
  const kept = new Set<string>();
  const nested = new Map<string, { readonly keep: Keep; readonly computes: boolean }>();
  const computed: (readonly [name: string, evaluate: Evaluate])[] = [];
  for (const [name, node] of tree) {
    if (node instanceof Map) {
      nested.set(name, { keep: keeping(node), computes: leavesOf(node).some((leaf) => typeof leaf === 'function') });
    } else if (typeof node === 'function') computed.push([name, node]);
    else kept.add(name);
  }
  return (value, row) => {
    const result: MutableFields = {};
    for (const name of Object.keys(value)) {
      if (kept.has(name)) result[name] = value[name];
      else {
        const inner = nested.get(name);
        const field = inner && keepInside(value[name], inner, row);
        if (field !== undefined) result[name] = field;
      }
    }
    for (const [name, inner] of nested) {
      if (inner.computes && !Object.hasOwn(value, name)) result[name] = inner.keep({}, row);
    }
    for (const [name, evaluate] of computed) {
      const field = evaluate(row);
      if (field !== undefined) result[name] = field;
    }
    return result;
  };
}

/** Into objects, and into those in arrays. Anything else has no such fields; a computed one makes an object of it. */
function keepInside(value: unknown, inner: { readonly keep: Keep; readonly computes: boolean }, row: Row): unknown {
  if (isPlainObject(value)) return inner.keep(value, row);
  if (Array.isArray(value)) {
    return value.map((element) => keepInside(element, inner, row)).filter((element) => element !== undefined);
  }
  return inner.computes ? inner.keep({}, row) : undefined;
}

function dropping(name: string, tree: Tree): StagePlan {
  return eachRow(name, (row) => drop(row, tree) as Row);
}

function drop(value: unknown, tree: Tree): unknown {
  if (Array.isArray(value)) return value.map((element) => drop(element, tree));
  if (!isPlainObject(value)) return value;
  const result: MutableFields = {};
  for (const name of Object.keys(value)) {
    const node = tree.get(name);
    if (node === undefined) result[name] = value[name];
    else if (node instanceof Map) result[name] = drop(value[name], node);
  }
  return result;
}
