/**
 * A selector, parsed: what every user of it works on (predicates, planner, routing of changes). Plain data apart from
 * patterns. Operators that are others in disguise are gone: $ne and $nin are `not`, $all is `and`, $nor is `not` of `or`.
 */
import type { TypeName } from '../../../src/protocol/definition.ts';
import type { Pattern } from '../pattern/index.ts';

/** What a selector asks of a row. */
export type SelectorNode =
  | { readonly type: 'and'; readonly of: readonly SelectorNode[] }
  | { readonly type: 'or'; readonly of: readonly SelectorNode[] }
  | { readonly type: 'not'; readonly of: SelectorNode }
  | FieldNode;

/**
 * A test of what stands at a path. It holds when one of the values there passes: a path leads through arrays of objects,
 * and an array at its end stands for its elements and for itself.
 */
export type FieldNode = {
  readonly type: 'field';
  readonly path: string;
  readonly segments: readonly string[];
  readonly test: ValueTest;
};

/** What is asked of one element of an array by `$elemMatch` with operators: no path, and the element counts as a whole. */
export type ElementNode =
  | { readonly type: 'and'; readonly of: readonly ElementNode[] }
  | { readonly type: 'not'; readonly of: ElementNode }
  | { readonly type: 'value'; readonly test: ValueTest };

export type ValueTest =
  /** `null` is passed by what is missing, too. */
  | { readonly type: 'equal'; readonly operand: unknown; readonly encoded: string }
  /** `encoded` is ascending and distinct. Strings may also match one of `patterns`. */
  | {
      readonly type: 'in';
      readonly operands: readonly unknown[];
      readonly encoded: readonly string[];
      readonly patterns: readonly Pattern[];
    }
  /** Within the type of the operand. NaN and invalid dates are neither above nor below anything. */
  | {
      readonly type: 'above' | 'below';
      readonly operand: unknown;
      readonly encoded: string;
      readonly isInclusive: boolean;
    }
  | { readonly type: 'exists' }
  | { readonly type: 'kind'; readonly kinds: readonly TypeName[] }
  | { readonly type: 'pattern'; readonly pattern: Pattern }
  | { readonly type: 'remainder'; readonly divisor: number; readonly remainder: number }
  | { readonly type: 'size'; readonly size: number }
  | { readonly type: 'element'; readonly of: ElementNode }
  | { readonly type: 'element-fields'; readonly of: SelectorNode };

/** The conditions that must all hold: the node itself, or the parts of an `and`, however nested. */
export function conjunctsOf(node: SelectorNode): readonly SelectorNode[] {
  return node.type === 'and' ? node.of.flatMap(conjunctsOf) : [node];
}

/** The conjunction of nodes. */
export function allOf(nodes: readonly SelectorNode[]): SelectorNode {
  return nodes.length === 1 ? nodes[0]! : { type: 'and', of: nodes };
}
