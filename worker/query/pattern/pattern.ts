/**
 * Regular expressions that are matched in linear time (S7). Syntax and meaning are JavaScript's, without what needs
 * backtracking: look-around and back-references are refused by name. Patterns in which nothing is optional, repeated or
 * chosen inside are left to the browser, which cannot go wrong on them and is faster; all others run on PatternMachine.
 */
import { StoreError } from '../../../src/base/store-error.ts';
import { PatternMachine } from './pattern-machine.ts';
import { type PatternNode, parsePatternSource } from './pattern-syntax.ts';

/** Longest pattern, in characters. */
export const PATTERN_LENGTH_MAX = 1_000;

export type Pattern = {
  readonly source: string;
  /** Those of i, m, s and u that are set, in this order. */
  readonly flags: string;
  /** What every text that matches begins with; empty when that is not known. */
  readonly prefix: string;
  readonly test: (text: string) => boolean;
};

/** Flags that say how a match is reported, which nobody asks here. */
const FLAGS_OF_NO_MEANING = 'gd';
const FLAGS = 'imsu';

/** Throws `query/wrong-operand` or `query/unsupported-pattern`. `at` is the place in the selector, for the error. */
export function parsePattern(source: string, givenFlags: string, at: string): Pattern {
  const refuse = (rule: string, cause?: unknown): never => {
    throw new StoreError('query/wrong-operand', `The pattern at ${at} ${rule}.`, {
      details: { path: at, operator: '$regex', rule },
      ...(cause === undefined ? {} : { cause }),
    });
  };
  if (source.length > PATTERN_LENGTH_MAX) refuse(`is longer than ${PATTERN_LENGTH_MAX} characters`);
  const unknown = [...givenFlags].find((flag) => !`${FLAGS}${FLAGS_OF_NO_MEANING}`.includes(flag));
  if (unknown !== undefined) refuse(`has the flag ${unknown}; flags are ${[...FLAGS].join(', ')}`);
  const flags = [...FLAGS].filter((flag) => givenFlags.includes(flag)).join('');
  let native: RegExp;
  try {
    native = new RegExp(source, flags);
  } catch (cause) {
    return refuse('is no regular expression', cause);
  }
  // The engine writes an empty pattern as `(?:)`, and line breaks as escapes.
  const tree = parsePatternSource(native.source, flags, at);
  const prefix = prefixOf(tree, flags);
  if (isChoiceFree(tree)) return { source, flags, prefix, test: (text) => native.test(text) };
  const machine = new PatternMachine(tree, flags, at);
  return { source, flags, prefix, test: (text) => machine.test(text) };
}

/** Whether a match can be tried at each place in one way only, apart from alternatives of the whole pattern. */
function isChoiceFree(tree: PatternNode): boolean {
  const isPlain = (node: PatternNode): boolean => node.type === 'atom' || node.type === 'assert';
  const isSequence = (node: PatternNode): boolean =>
    isPlain(node) || (node.type === 'sequence' && node.of.every(isPlain));
  return isSequence(tree) || (tree.type === 'choice' && tree.of.every(isSequence));
}

function prefixOf(tree: PatternNode, flags: string): string {
  if (tree.type !== 'sequence' || flags.includes('i') || flags.includes('m')) return '';
  const [first, ...rest] = tree.of;
  if (first?.type !== 'assert' || first.kind !== 'start') return '';
  let prefix = '';
  for (const node of rest) {
    if (node.type !== 'atom' || node.literal === undefined) break;
    prefix += node.literal;
  }
  return prefix;
}
