/** What has to change in the catalogue so that it holds the collections that the application defines. */
import { deepEqual } from '../../src/base/deep-equal.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { CollectionSpec } from '../../src/protocol/definition.ts';
import type { CollectionState } from '../indexes/index.ts';
import type { CatalogueChange, StoreState } from '../transactions/index.ts';

export function planCatalogue(state: StoreState, specs: readonly CollectionSpec[]): readonly CatalogueChange[] {
  let { nextCollection, nextTree } = state;
  return specs.flatMap((spec): readonly CatalogueChange[] => {
    const present = state.collections.get(spec.name);
    if (present === undefined) {
      const id = nextCollection++;
      const tree = nextTree++;
      const indexes = spec.indexes.map(
        (index): CatalogueChange => ({ type: 'create-index', collection: id, tree: nextTree++, index }),
      );
      return [{ type: 'create-collection', id, tree, spec: withoutSchema(spec) }, ...indexes];
    }
    return planPresent(present, spec, () => nextTree++);
  });
}

function planPresent(
  present: CollectionState,
  spec: CollectionSpec,
  takeTree: () => number,
): readonly CatalogueChange[] {
  if (present.spec.key !== spec.key) {
    throw new StoreError(
      'collection/key-changed',
      `Collection ${spec.name} has its key in ${present.spec.key}, not in ${spec.key}.`,
      {
        details: { collection: spec.name, stored: present.spec.key, defined: spec.key },
        hint: 'Keep the key of a collection, or define a new collection and copy the rows.',
      },
    );
  }
  if (present.spec.version > spec.version) {
    throw new StoreError(
      'store/newer-version',
      `Collection ${spec.name} was written under version ${present.spec.version}; this page defines ${spec.version}.`,
      {
        details: { collection: spec.name, stored: present.spec.version, defined: spec.version },
        hint: 'Reload the page to get the newer version of the application.',
      },
    );
  }
  const changes: CatalogueChange[] = [];
  for (const { spec: index } of present.indexes) {
    const wanted = spec.indexes.find(({ name }) => name === index.name);
    // An index that no definition ever named was made by createIndex, and stays.
    const wasDefined = present.spec.indexes.some(({ name }) => name === index.name);
    const isOutdated = wanted !== undefined && !deepEqual(plain(wanted), plain(index));
    if (isOutdated || (wanted === undefined && wasDefined)) {
      changes.push({ type: 'drop-index', collection: present.id, name: index.name });
    }
  }
  for (const index of spec.indexes) {
    const kept = present.indexes.some(
      ({ spec: other }) => other.name === index.name && deepEqual(plain(other), plain(index)),
    );
    if (!kept) changes.push({ type: 'create-index', collection: present.id, tree: takeTree(), index });
  }
  if (changes.length > 0 || !deepEqual(plain(present.spec), plain(withoutSchema(spec)))) {
    changes.push({ type: 'alter-collection', id: present.id, spec: withoutSchema(spec) });
  }
  return changes;
}

/** The schema is given at every opening and need not be kept. */
const withoutSchema = (spec: CollectionSpec): CollectionSpec => ({ ...spec, jsonSchema: undefined });

/** As the codec gives it back: without undefined properties. */
const plain = (value: object): object =>
  Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, key === 'indexes' ? (item as object[]).map(plain) : item]),
  );
