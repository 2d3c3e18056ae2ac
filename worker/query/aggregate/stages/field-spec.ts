/** Paths of fields that a stage writes or leaves out. */
import { parsePath } from '../../paths.ts';
import { invalidPipeline, wrongOperand } from '../pipeline-errors.ts';

export function parseFieldPath(field: unknown, path: string): readonly string[] {
  if (typeof field !== 'string' || field === '') throw wrongOperand(path, 'needs the path of a field');
  const segments = parsePath(field);
  if (segments.some((segment) => segment === '' || segment.startsWith('$'))) {
    throw wrongOperand(path, `${JSON.stringify(field)} is no path of a field`);
  }
  return segments;
}

/** What a stage does with fields, as a tree: an object says what is done with fields inside of one. */
export type FieldTree<Leaf> = Map<string, Leaf | FieldTree<Leaf>>;

/** Adds a leaf. Refuses paths of which one lies inside of the other. */
export function addLeaf<Leaf>(tree: FieldTree<Leaf>, segments: readonly string[], leaf: Leaf, path: string): void {
  let at = tree;
  for (const [depth, segment] of segments.entries()) {
    const known = at.get(segment);
    if (depth === segments.length - 1) {
      if (known !== undefined) throw invalidPipeline(path, 'names a path twice, or one inside of another');
      at.set(segment, leaf);
    } else if (known === undefined) {
      const inner: FieldTree<Leaf> = new Map();
      at.set(segment, inner);
      at = inner;
    } else if (known instanceof Map) at = known as FieldTree<Leaf>;
    else throw invalidPipeline(path, 'names a path twice, or one inside of another');
  }
}
