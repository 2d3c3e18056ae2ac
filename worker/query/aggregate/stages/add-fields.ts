/** `$addFields` (`$set`), `$replaceRoot` and `$replaceWith`. */
import type { Row } from '../../../../src/base/row.ts';
import type { Evaluate, ExpressionCompiler } from '../expression.ts';
import { assertFields } from '../operators/index.ts';
import { wrongOperand } from '../pipeline-errors.ts';
import { isPlainObject, typeName } from '../values.ts';
import { addLeaf, type FieldTree, parseFieldPath } from './field-spec.ts';
import { type CompileStage, eachRow, type StagePlan } from './stage.ts';

type Fields = Readonly<Record<string, unknown>>;

export const compileAddFields: CompileStage = (spec, path, { compiler }) => {
  if (!isPlainObject(spec) || Object.keys(spec).length === 0) throw wrongOperand(path, 'takes an object of fields');
  const tree: FieldTree<Evaluate> = new Map();
  addTo(tree, [], spec, path, compiler);
  const nodes = [...tree];
  return eachRow('$addFields', (row) => withFields(row, nodes, row));
};

function addTo(
  tree: FieldTree<Evaluate>,
  above: readonly string[],
  spec: Fields,
  path: string,
  compiler: ExpressionCompiler,
): void {
  for (const [field, value] of Object.entries(spec)) {
    const place = `${path}.${field}`;
    const segments = [...above, ...parseFieldPath(field, path)];
    const names = isPlainObject(value) ? Object.keys(value) : [];
    // An object of fields adds to the object that is there; it does not replace it.
    if (names.length > 0 && !names.some((name) => name.startsWith('$'))) {
      addTo(tree, segments, value as Fields, place, compiler);
    } else addLeaf(tree, segments, compiler.compile(value, place), place);
  }
}

function withFields(
  value: Fields,
  nodes: Iterable<readonly [string, Evaluate | FieldTree<Evaluate>]>,
  row: Row,
): Fields {
  const result: Record<string, unknown> = { ...value };
  for (const [name, node] of nodes) {
    const field = typeof node === 'function' ? node(row) : inside(value[name], node, row);
    if (field !== undefined) result[name] = field;
    else if (name in result) delete result[name];
  }
  return result;
}

/** Into objects, and into each element of an array; anything else becomes an object. */
function inside(value: unknown, tree: FieldTree<Evaluate>, row: Row): unknown {
  if (Array.isArray(value)) return value.map((element) => inside(element, tree, row));
  return withFields(isPlainObject(value) ? value : {}, tree, row);
}

export const compileReplaceRoot: CompileStage = (spec, path, { compiler }) => {
  const { newRoot } = assertFields(spec, path, ['newRoot'], []);
  return replacing(compiler.compile(newRoot, `${path}.newRoot`), path);
};

export const compileReplaceWith: CompileStage = (spec, path, { compiler }) =>
  replacing(compiler.compile(spec, path), path);

function replacing(evaluate: Evaluate, path: string): StagePlan {
  return eachRow('$replaceRoot', (row) => {
    const root = evaluate(row);
    if (!isPlainObject(root)) throw wrongOperand(path, `needs an object for each row, met ${typeName(root)}`);
    return root;
  });
}
