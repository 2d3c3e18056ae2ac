/** What is wrong with a pipeline, and where: `[2].$group.total.$sum` is a place. */
import { StoreError, type StoreErrorCode } from '../../../src/base/store-error.ts';

/** Not a pipeline, or a stage that is none: `query/invalid-pipeline`. */
export const invalidPipeline = (path: string, rule: string): StoreError =>
  refusal('query/invalid-pipeline', path, rule);

/** A stage, operator or accumulator takes something else: `query/wrong-operand`. Also for values met while it runs. */
export const wrongOperand = (path: string, rule: string): StoreError => refusal('query/wrong-operand', path, rule);

export function tooLarge(path: string, what: string, limit: number): StoreError {
  return new StoreError('query/too-large', `${at(path)} more than ${limit} ${what}.`, {
    details: { path, what, limit },
    hint: 'Select fewer rows before, or take the work apart.',
  });
}

export function unknownOperator(kind: string, operator: string, path: string, known: object): StoreError {
  return new StoreError('query/unknown-operator', `${at(path)} unknown ${kind} ${operator}.`, {
    details: { operator, path },
    hint: `There are ${Object.keys(known).join(' ')}.`,
  });
}

function refusal(code: StoreErrorCode, path: string, rule: string): StoreError {
  return new StoreError(code, `${at(path)} ${rule}.`, { details: { path, rule } });
}

const at = (path: string): string => `Pipeline${path === '' ? '' : ` at ${path}`}:`;
