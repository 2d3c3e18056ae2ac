/** Bounds of pipelines. What exceeds one is refused with `query/too-large`, which names the place and the bound. */

/** Stages of one pipeline, those of inner pipelines not counted. */
export const STAGES_MAX: number = 100;
/** Levels of nested expressions. */
export const EXPRESSION_DEPTH_MAX: number = 50;
/** Operators, fields and literals of all stages together. */
export const PIPELINE_NODES_MAX: number = 20_000;
/** Pipelines inside of pipelines ($facet, $lookup). */
export const PIPELINE_DEPTH_MAX: number = 8;
/** Groups of one $group, $bucket or $sortByCount. */
export const GROUPS_MAX: number = 500_000;
/** Elements that one accumulator ($push, $addToSet) may gather over all groups, and elements of any computed array. */
export const ELEMENTS_MAX: number = 1_000_000;
/** Rows that one stage may hold: $sort without $limit, $facet, the foreign rows of one $lookup batch. */
export const ROWS_HELD_MAX: number = 1_000_000;
/** Characters of a computed string. */
export const TEXT_LENGTH_MAX: number = 16 * 1024 * 1024;
/** Rows that pass through the stages together. */
export const BATCH_ROWS: number = 1_024;
