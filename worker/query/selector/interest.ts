/**
 * What a selector needs, in the form that indexes and routing of changes can use: conditions on single paths, all of
 * which must hold for a row to match. They are necessary, not sufficient.
 */
import { encodeComponent, upperBound } from '../../indexes/index.ts';
import { conjunctsOf, type ElementNode, type FieldNode, type SelectorNode, type ValueTest } from './ast.ts';

/**
 * One of the values that `encodedValuesAt` gives for the path is among `equals` (ascending, distinct), or is at least
 * `low` and below `high`.
 */
export type Interest = {
  readonly path: string;
  readonly segments: readonly string[];
} & (
  | { readonly type: 'equals'; readonly equals: readonly string[] }
  | { readonly type: 'range'; readonly low: string; readonly high: string }
);

/** Below every character that goes on with a component, and above nothing. */
const LOWEST = '\u0000';
/** What an encoded number or date that can be compared begins with, at least: NaN and invalid dates are below it. */
const ORDERED = '\t';
const NUMBER_TAG = tagOf(encodeComponent(0));
const DATE_TAG = tagOf(encodeComponent(new Date(0)));

/** The type of an encoded value: its first character. */
export function tagOf(encoded: string): string {
  return encoded[0]!;
}

/** Answers [] when nothing can be said: then any change may concern the selector. */
export function interestOf(node: SelectorNode): readonly Interest[] {
  return conjunctsOf(node).flatMap((each): readonly Interest[] => {
    if (each.type === 'field') return interestOfField(each);
    return each.type === 'or' ? interestOfChoice(each.of) : [];
  });
}

/** Whether the interest of a field says all that the field asks, as long as no array stands at its path. */
export function isExactInterest({ test }: FieldNode): boolean {
  return (
    test.type === 'equal' ||
    test.type === 'above' ||
    test.type === 'below' ||
    (test.type === 'in' && test.patterns.length === 0)
  );
}

export function interestOfField({ path, segments, test }: FieldNode): readonly Interest[] {
  if (test.type === 'element-fields') {
    // An element must have it all: so must the path that leads through it.
    return interestOf(test.of).map((inner) => ({
      ...inner,
      path: `${path}.${inner.path}`,
      segments: [...segments, ...inner.segments],
    }));
  }
  return testsOf(test).flatMap((each): readonly Interest[] => {
    const found = interestOfTest(each);
    return found === undefined ? [] : [{ path, segments, ...found }];
  });
}

/** The tests that some value at the path must pass, each by itself. */
function testsOf(test: ValueTest): readonly ValueTest[] {
  if (test.type !== 'element') return [test];
  const flatten = (node: ElementNode): readonly ValueTest[] =>
    node.type === 'and' ? node.of.flatMap(flatten) : node.type === 'value' ? [node.test] : [];
  return flatten(test.of).filter(({ type }) => type !== 'element');
}

type ValueInterest =
  | { readonly type: 'equals'; readonly equals: readonly string[] }
  | { readonly type: 'range'; readonly low: string; readonly high: string };

function interestOfTest(test: ValueTest): ValueInterest | undefined {
  switch (test.type) {
    case 'equal':
      return { type: 'equals', equals: [test.encoded] };
    case 'in':
      return test.patterns.length === 0 ? { type: 'equals', equals: test.encoded } : undefined;
    case 'above': {
      const low = test.isInclusive ? test.encoded : test.encoded + LOWEST;
      return { type: 'range', low, high: nextTag(test.encoded) };
    }
    case 'below': {
      const high = test.isInclusive ? test.encoded + LOWEST : test.encoded;
      return { type: 'range', low: lowestOf(tagOf(test.encoded)), high };
    }
    case 'pattern': {
      if (test.pattern.prefix === '') return undefined;
      const low = encodeComponent(test.pattern.prefix);
      return { type: 'range', low, high: upperBound(low) ?? nextTag(low) };
    }
    default:
      return undefined;
  }
}

const nextTag = (encoded: string): string => String.fromCharCode(encoded.charCodeAt(0) + 1);
const lowestOf = (tag: string): string => (tag === NUMBER_TAG || tag === DATE_TAG ? tag + ORDERED : tag);

/** A choice asks for one of several values of a path when each of its branches does. */
function interestOfChoice(branches: readonly SelectorNode[]): readonly Interest[] {
  const [first = [], ...others] = branches.map((branch) =>
    interestOf(branch).filter((interest) => interest.type === 'equals'),
  );
  return first.flatMap((interest): readonly Interest[] => {
    const same = others.map((all) => all.find(({ path }) => path === interest.path));
    if (same.includes(undefined)) return [];
    const equals = new Set([interest, ...same].flatMap((each) => each!.equals));
    return [{ ...interest, equals: [...equals].sort() }];
  });
}
