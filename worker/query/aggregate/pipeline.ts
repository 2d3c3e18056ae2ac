/**
 * From what an application wrote to what runs: each stage checked and compiled, and the first `$match`, `$sort`, `$skip`
 * and `$limit` left to a find, which has indexes.
 */
import type { Row } from '../../../src/base/row.ts';
import type { FindSpec, Selector, SortOrder } from '../../../src/protocol/definition.ts';
import { FindCursor } from '../find.ts';
import { planFind } from '../planner/index.ts';
import { Chain } from './chain.ts';
import { ExpressionCompiler } from './expression.ts';
import type { JoinSource } from './join.ts';
import { BATCH_ROWS, PIPELINE_DEPTH_MAX, ROWS_HELD_MAX, STAGES_MAX } from './limits.ts';
import { invalidPipeline, tooLarge, unknownOperator } from './pipeline-errors.ts';
import { compileAddFields, compileReplaceRoot, compileReplaceWith } from './stages/add-fields.ts';
import { compileFacet } from './stages/facet.ts';
import { compileBucket, compileGroupStage, compileSortByCount } from './stages/group-stages.ts';
import { compileLookup } from './stages/lookup.ts';
import { compileMatch, filterPlan, matchParts } from './stages/match.ts';
import { compileProject, compileUnset } from './stages/project.ts';
import { compileSort, parseSort } from './stages/sort.ts';
import type { CompileStage, InnerPipeline, Run, StageContext, StagePlan } from './stages/stage.ts';
import { needsOrder } from './stages/stage.ts';
import { compileUnwind } from './stages/unwind.ts';
import { compileCount, compileLimit, compileSkip } from './stages/window.ts';
import { isPlainObject } from './values.ts';

export const STAGES: Readonly<Record<string, CompileStage>> = {
  $addFields: compileAddFields,
  $bucket: compileBucket,
  $count: compileCount,
  $facet: compileFacet,
  $group: compileGroupStage,
  $limit: compileLimit,
  $lookup: compileLookup,
  $match: compileMatch,
  $project: compileProject,
  $replaceRoot: compileReplaceRoot,
  $replaceWith: compileReplaceWith,
  $set: compileAddFields,
  $skip: compileSkip,
  $sort: compileSort,
  $sortByCount: compileSortByCount,
  $unset: compileUnset,
  $unwind: compileUnwind,
};

export type Pipeline = {
  /** The part that a find does. */
  readonly find: FindSpec;
  /** The rest, in order. */
  readonly plans: readonly StagePlan[];
  /** Other collections that it reads. */
  readonly collections: ReadonlySet<string>;
};

/** `keyFieldOf` answers the key's field of a collection, and throws for one that does not exist. */
export function compilePipeline(
  pipeline: unknown,
  collection: string,
  keyFieldOf: (collection: string) => string,
): Pipeline {
  const collections = new Set<string>();
  const context = contextOf(keyFieldOf(collection), keyFieldOf, collections, 1, new ExpressionCompiler());
  return { ...compileWithFind(pipeline, '', context), collections };
}

type StageSpec = { readonly name: string; readonly spec: unknown; readonly path: string };

function contextOf(
  keyField: string,
  keyFieldOf: (collection: string) => string,
  collections: Set<string>,
  depth: number,
  compiler: ExpressionCompiler,
): StageContext {
  const inside = (path: string, innerKey: string, inner: ExpressionCompiler): StageContext => {
    if (depth >= PIPELINE_DEPTH_MAX) throw tooLarge(path, 'pipelines inside of pipelines', PIPELINE_DEPTH_MAX);
    return contextOf(innerKey, keyFieldOf, collections, depth + 1, inner);
  };
  return {
    keyField,
    compiler,
    noteCollection: (name) => {
      const key = keyFieldOf(name);
      collections.add(name);
      return key;
    },
    compilePipeline: (pipeline, path, inner) => compileAll(stagesOf(pipeline, path), inside(path, keyField, inner)),
    compileSource: (pipeline, path, options) => {
      const context = inside(path, options.keyField, options.compiler);
      return options.isGivenRows
        ? new InnerStages({ find: EVERYTHING, plans: compileAll(stagesOf(pipeline, path), context) }, context, path)
        : new InnerStages(compileWithFind(pipeline, path, context), context, path);
    },
  };
}

const EVERYTHING: FindSpec = { selector: {}, sort: [], limit: undefined, skip: 0 };

function stagesOf(pipeline: unknown, path: string): readonly StageSpec[] {
  if (!Array.isArray(pipeline)) throw invalidPipeline(path, 'a pipeline is an array of stages');
  if (pipeline.length > STAGES_MAX) throw tooLarge(path, 'stages', STAGES_MAX);
  return Array.from(pipeline, (stage: unknown, at) => {
    const place = `${path}[${at}]`;
    const [name, ...others] = isPlainObject(stage) ? Object.keys(stage) : [];
    if (name === undefined || others.length > 0) throw invalidPipeline(place, 'a stage is an object with one $name');
    if (!Object.hasOwn(STAGES, name)) throw unknownOperator('stage', name, place, STAGES);
    return { name, spec: (stage as Record<string, unknown>)[name], path: `${place}.${name}` };
  });
}

const compileAll = (stages: readonly StageSpec[], context: StageContext): readonly StagePlan[] =>
  stages.map(({ name, spec, path }) => STAGES[name]!(spec, path, context));

/** Takes stages for the find as long as it does the same in the same order. */
function compileWithFind(pipeline: unknown, path: string, context: StageContext): Omit<Pipeline, 'collections'> {
  const stages = stagesOf(pipeline, path);
  const filters: StagePlan[] = [];
  const selectors: Selector[] = [];
  let sort: SortOrder = [];
  let skip = 0;
  let limit: number | undefined;
  let at = 0;
  for (; at < stages.length; at++) {
    const { name, spec, path: place } = stages[at]!;
    const isCut = limit !== undefined || skip > 0;
    if (name === '$match' && !isCut) {
      const parts = matchParts(spec, place, context.compiler);
      if (parts.selector !== undefined) selectors.push(parts.selector);
      if (parts.expression !== undefined) filters.push(filterPlan(parts.expression));
    } else if (name === '$sort' && !isCut && sort.length === 0) sort = parseSort(spec, place);
    // What the find does not filter it must not cut either.
    else if (name === '$limit' && filters.length === 0) {
      limit = Math.min(limit ?? Number.POSITIVE_INFINITY, compileLimit(spec, place, context).limit!);
    } else if (name === '$skip' && filters.length === 0) {
      const more = compileSkip(spec, place, context).skip!;
      if (limit !== undefined) limit = Math.max(0, limit - more);
      skip += more;
    } else break;
  }
  const plans = [...filters, ...compileAll(stages.slice(at), context)];
  // Without an order of its own the answer would depend on the index that is used.
  if (sort.length === 0 && (skip > 0 || limit !== undefined || needsOrder(plans))) sort = [[context.keyField, 1]];
  const selector = selectors.length > 1 ? { $and: selectors } : (selectors[0] ?? {});
  return { find: { selector, sort, limit, skip }, plans };
}

class InnerStages implements InnerPipeline {
  readonly usesVariables: boolean;
  readonly #pipeline: Omit<Pipeline, 'collections'>;
  readonly #path: string;

  constructor(pipeline: Omit<Pipeline, 'collections'>, { compiler }: StageContext, path: string) {
    this.#pipeline = pipeline;
    this.#path = path;
    this.usesVariables = compiler.hasVariables;
  }

  async run(run: Run, source: JoinSource, rows: readonly Row[] | undefined): Promise<readonly Row[]> {
    const { find, plans } = this.#pipeline;
    const chain = new Chain(plans, run);
    const result: Row[] = [];
    const take = (more: readonly Row[]): void => {
      for (const row of more) result.push(row);
      if (result.length > ROWS_HELD_MAX) throw tooLarge(this.#path, 'rows', ROWS_HELD_MAX);
    };
    if (rows !== undefined) take(await chain.push(rows));
    else {
      const plan = planFind(source.collection, find);
      const cursor = new FindCursor({ view: source.view, plan, release: () => {} });
      for (let isDone = false; !isDone && !chain.isDone; ) {
        const { rows: found, done } = await cursor.next(BATCH_ROWS);
        take(await chain.push(found));
        isDone = done;
        await run.rest();
      }
    }
    take(await chain.finish());
    return result;
  }
}
