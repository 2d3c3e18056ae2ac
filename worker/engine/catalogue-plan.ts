/**
 * What has to change in the catalogue so that it holds the collections that the application defines. A collection whose
 * rows have to be migrated first is left as it is: what its new definition says may be true of the new rows only.
 */
import { deepEqual } from '../../src/base/deep-equal.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { CollectionSpec } from '../../src/protocol/definition.ts';
import { HIDDEN_COLLECTIONS } from '../../src/protocol/sync-worker.ts';
import type { CollectionState } from '../indexes/index.ts';
import type { CatalogueChange, StoreState } from '../transactions/index.ts';

export function planCatalogue(state: StoreState, specs: readonly CollectionSpec[]): readonly CatalogueChange[] {
  let { nextCollection, nextTree } = state;
  const isSynced = specs.some(({ name, sync }) => sync ?? state.collections.get(name)?.spec.sync);
  const hidden = isSynced ? HIDDEN_COLLECTIONS.filter((name) => !state.collections.has(name)).map(hiddenSpec) : [];
  // Marks need a place before anything is marked.
  return [...hidden, ...specs].flatMap((spec): readonly CatalogueChange[] => {
    const present = state.collections.get(spec.name);
    if (present === undefined) {
      const id = nextCollection++;
      const tree = nextTree++;
      const indexes = spec.indexes.map(
        (index): CatalogueChange => ({ type: 'create-index', collection: id, tree: nextTree++, index }),
      );
      return [{ type: 'create-collection', id, tree, spec: withoutGiven(spec) }, ...indexes];
    }
    return needsMigration(present, spec) ? [] : planPresent(present, spec, () => nextTree++);
  });
}

/** Refuses a definition that the collection cannot be brought to. */
export function needsMigration(present: CollectionState, spec: CollectionSpec): boolean {
  const { name, version } = spec;
  if (present.spec.key !== spec.key) {
    throw new StoreError(
      'collection/key-changed',
      `Collection ${name} has its key in ${present.spec.key}, not in ${spec.key}.`,
      {
        details: { collection: name, stored: present.spec.key, defined: spec.key },
        hint: 'Keep the key of a collection, or define a new collection and copy the rows.',
      },
    );
  }
  const stored = present.migration?.to ?? present.spec.version;
  if (stored > version) {
    throw new StoreError(
      'store/newer-version',
      `Collection ${name} was written under version ${stored}; this page defines ${version}.`,
      {
        details: { collection: name, stored, defined: version },
        hint: 'Reload the page to get the newer version of the application.',
      },
    );
  }
  const oldest = present.spec.version;
  if (oldest === version || present.primary.count === 0) return false;
  for (let step = oldest + 1; step <= version; step += 1) {
    if (spec.migrations?.includes(step)) continue;
    throw new StoreError(
      'collection/missing-migration',
      `Collection ${name} has documents of version ${oldest}, and no migration to version ${step}.`,
      {
        details: { collection: name, stored: oldest, defined: version, missing: step },
        hint: `Define migrations: { ${step}: (row) => ... } with what makes a document of version ${step} from one of version ${step - 1}.`,
      },
    );
  }
  return true;
}

/** The changes for a collection whose rows are of the defined version. */
export function planPresent(
  present: CollectionState,
  spec: CollectionSpec,
  takeTree: () => number,
): readonly CatalogueChange[] {
  const changes = [...planDrops(present, spec)];
  for (const index of spec.indexes) {
    const kept = present.indexes.some(
      ({ spec: other }) => other.name === index.name && deepEqual(plain(other), plain(index)),
    );
    if (!kept) changes.push({ type: 'create-index', collection: present.id, tree: takeTree(), index });
  }
  const kept = { ...withoutGiven(spec), sync: spec.sync ?? present.spec.sync };
  if (changes.length > 0 || !deepEqual(plain(present.spec), plain(kept))) {
    changes.push({ type: 'alter-collection', id: present.id, spec: kept });
  }
  return changes;
}

/** Indexes that the definition no longer has, or has otherwise. */
export function planDrops(present: CollectionState, spec: CollectionSpec): readonly CatalogueChange[] {
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
  return changes;
}

const hiddenSpec = (name: string): CollectionSpec => ({
  name,
  key: 'id',
  indexes: [],
  jsonSchema: undefined,
  version: 1,
});

/** What is given at every opening need not be kept. */
const withoutGiven = (spec: CollectionSpec): CollectionSpec => ({
  ...spec,
  jsonSchema: undefined,
  migrations: undefined,
});

/** As the codec gives it back: without undefined properties. */
const plain = (value: object): object =>
  Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, key === 'indexes' ? (item as object[]).map(plain) : item]),
  );
