/** `$limit`, `$skip` and `$count`. */
import type { Row } from '../../../../src/base/row.ts';
import { assertNames } from '../expression.ts';
import { wrongOperand } from '../pipeline-errors.ts';
import { type CompileStage, NO_ROWS, type Stage } from './stage.ts';

class Limit implements Stage {
  #left: number;

  constructor(limit: number) {
    this.#left = limit;
  }

  get isDone(): boolean {
    return this.#left === 0;
  }

  push(rows: readonly Row[]): readonly Row[] {
    const taken = rows.length > this.#left ? rows.slice(0, this.#left) : rows;
    this.#left -= taken.length;
    return taken;
  }

  finish(): readonly Row[] {
    return NO_ROWS;
  }
}

class Skip implements Stage {
  readonly isDone = false;
  #left: number;

  constructor(skip: number) {
    this.#left = skip;
  }

  push(rows: readonly Row[]): readonly Row[] {
    if (this.#left === 0) return rows;
    const rest = rows.slice(this.#left);
    this.#left -= rows.length - rest.length;
    return rest;
  }

  finish(): readonly Row[] {
    return NO_ROWS;
  }
}

class Count implements Stage {
  readonly isDone = false;
  readonly #field: string;
  #count = 0;

  constructor(field: string) {
    this.#field = field;
  }

  push(rows: readonly Row[]): readonly Row[] {
    this.#count += rows.length;
    return NO_ROWS;
  }

  /** No rows give no answer, as in MongoDB. */
  finish(): readonly Row[] {
    return this.#count === 0 ? NO_ROWS : [{ [this.#field]: this.#count }];
  }
}

export const compileLimit: CompileStage = (spec, path) => {
  const limit = mustWhole(spec, path, 1);
  return { name: '$limit', order: 'matters', limit, open: () => new Limit(limit) };
};

export const compileSkip: CompileStage = (spec, path) => {
  const skip = mustWhole(spec, path, 0);
  return { name: '$skip', order: 'matters', skip, open: () => new Skip(skip) };
};

export const compileCount: CompileStage = (spec, path) => {
  if (typeof spec !== 'string' || spec === '' || spec.startsWith('$') || spec.includes('.')) {
    throw wrongOperand(path, 'takes the name of a field');
  }
  assertNames(spec, [spec], path);
  return { name: '$count', order: 'free', open: () => new Count(spec) };
};

function mustWhole(spec: unknown, path: string, least: number): number {
  if (Number.isSafeInteger(spec) && (spec as number) >= least) return spec as number;
  throw wrongOperand(path, `takes a whole number of ${least} or more`);
}
