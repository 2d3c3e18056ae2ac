/**
 * Expressions of a pipeline, compiled once into closures over the row: `'$a.b'`, `'$$name.b'`, `{ $operator: operand }`,
 * objects and arrays of expressions, and anything else as itself. A missing value is `undefined`.
 *
 * Variables live in slots that the compiled closures share, so evaluating allocates nothing for them. A compiled
 * expression must therefore not be evaluated inside of itself, and one pipeline runs once at a time.
 */
import { isForbiddenKey } from '../../../src/base/codec/index.ts';
import type { Row } from '../../../src/base/row.ts';
import { StoreError } from '../../../src/base/store-error.ts';
import { compileField, compileWalk } from './field-value.ts';
import { EXPRESSION_DEPTH_MAX, PIPELINE_NODES_MAX } from './limits.ts';
import { OPERATORS } from './operators/index.ts';
import { invalidPipeline, tooLarge, unknownOperator, wrongOperand } from './pipeline-errors.ts';
import { isPlainObject } from './values.ts';

export type Evaluate = (row: Row) => unknown;

/** What one pipeline's expressions share. */
type Shared = { readonly slots: unknown[]; nodes: number };

const SYSTEM_VARIABLES = ['ROOT', 'CURRENT', 'REMOVE'];

export class ExpressionCompiler {
  readonly #shared: Shared;
  readonly #variables: ReadonlyMap<string, number>;
  #depth = 0;

  constructor(shared: Shared = { slots: [], nodes: 0 }, variables: ReadonlyMap<string, number> = new Map(), depth = 0) {
    this.#shared = shared;
    this.#variables = variables;
    this.#depth = depth;
  }

  get hasVariables(): boolean {
    return this.#variables.size > 0;
  }

  /** `path` is the place of the expression in its pipeline, for errors. */
  compile(spec: unknown, path: string): Evaluate {
    this.countNode(path);
    if (typeof spec === 'string') return spec.startsWith('$') ? this.#reference(spec, path) : () => spec;
    if (typeof spec !== 'object' || spec === null || !(Array.isArray(spec) || isPlainObject(spec))) return () => spec;
    if (++this.#depth > EXPRESSION_DEPTH_MAX) throw tooLarge(path, 'levels of expressions', EXPRESSION_DEPTH_MAX);
    const evaluate = Array.isArray(spec) ? this.#array(spec, path) : this.#object(spec, path);
    this.#depth--;
    return evaluate;
  }

  /** A compiler that knows more variables, and the slots in which their values are to be put. */
  withVariables(
    names: readonly string[],
    path: string,
  ): { readonly inner: ExpressionCompiler; readonly slots: unknown[]; readonly places: readonly number[] } {
    const variables = new Map(this.#variables);
    const { slots } = this.#shared;
    const places = names.map((name) => {
      if (!/^[a-z\u0080-\uffff][\w\u0080-\uffff]*$/.test(name)) {
        throw wrongOperand(path, `has a variable ${JSON.stringify(name)}; names begin with a small letter`);
      }
      variables.set(name, slots.length);
      return slots.push(undefined) - 1;
    });
    return { inner: new ExpressionCompiler(this.#shared, variables, this.#depth), slots, places };
  }

  /** Bounds the whole pipeline. */
  countNode(path: string): void {
    if (++this.#shared.nodes > PIPELINE_NODES_MAX) throw tooLarge(path, 'nodes in one pipeline', PIPELINE_NODES_MAX);
  }

  #reference(spec: string, path: string): Evaluate {
    const isVariable = spec.startsWith('$$');
    const [name = '', ...segments] = spec.slice(isVariable ? 2 : 1).split('.');
    if ([name, ...segments].some((segment) => segment === '' || (segment.startsWith('$') && !isVariable))) {
      throw wrongOperand(path, `${JSON.stringify(spec)} is not a path`);
    }
    assertNames(spec, [name, ...segments], path);
    if (!isVariable) return compileField([name, ...segments]);
    const walk = segments.length === 0 ? undefined : compileWalk(segments);
    if (name === 'ROOT' || name === 'CURRENT') return walk ?? ((row) => row);
    if (name === 'REMOVE') return () => undefined;
    const slot = this.#variables.get(name);
    if (slot === undefined) {
      throw new StoreError('query/unknown-operator', `Pipeline at ${path}: unknown variable $$${name}.`, {
        details: { operator: `$$${name}`, path },
        hint: `Known here are ${[...SYSTEM_VARIABLES, ...this.#variables.keys()].map((each) => `$$${each}`).join(' ')}.`,
      });
    }
    const { slots } = this.#shared;
    return walk === undefined ? () => slots[slot] : () => walk(slots[slot]);
  }

  #array(spec: readonly unknown[], path: string): Evaluate {
    const elements = spec.map((element, at) => this.compile(element, `${path}[${at}]`));
    return (row) => elements.map((element) => element(row) ?? null);
  }

  #object(spec: Readonly<Record<string, unknown>>, path: string): Evaluate {
    const names = Object.keys(spec);
    if (names.some((name) => name.startsWith('$'))) {
      const [name = ''] = names;
      if (names.length > 1) throw invalidPipeline(path, 'an operator stands alone in its object');
      return this.#operator(name, spec[name], path);
    }
    assertNames(path, names, path);
    const fields = names.map((name) => this.compile(spec[name], `${path}.${name}`));
    return (row) => {
      const result: Record<string, unknown> = {};
      for (let i = 0; i < names.length; i++) {
        const value = fields[i]!(row);
        if (value !== undefined) result[names[i]!] = value;
      }
      return result;
    };
  }

  #operator(name: string, operand: unknown, path: string): Evaluate {
    const build = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
    if (build === undefined) throw unknownOperator('operator', name, path, OPERATORS);
    return build(operand, `${path}.${name}`, this);
  }
}

/** Names of prototypes are no fields (S5). */
export function assertNames(whole: string, names: readonly string[], path: string): void {
  const segment = names.find(isForbiddenKey);
  if (segment === undefined) return;
  throw new StoreError('query/forbidden-path', `Pipeline at ${path}: ${whole} names a prototype.`, {
    details: { path, segment },
  });
}
