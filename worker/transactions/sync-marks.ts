/**
 * Marks: which rows of synchronised collections a local commit has changed, stored in that very commit, as rows of
 * `$sync.changes`. So whatever is committed leaves the device sooner or later, and nothing that is not (R2, R8).
 *
 * A store without synchronised collections has no `$sync.changes` and pays for one comparison a commit.
 */
import { assert } from '../../src/base/assert.ts';
import type { Key, Row } from '../../src/base/row.ts';
import { CHANGED_ROWS_MAX, type ChangesRow } from '../../src/protocol/sync-worker.ts';
import { type CollectionState, decodePrimaryKey, encodePrimaryKey } from '../indexes/index.ts';
import type { StoreState } from './store-state.ts';
import type { PreparedWrite, RowChange } from './write-task.ts';

/** Entries that one engine may number. The next one has the next epoch, so no number is used again. */
const NUMBERS_OF_EPOCH: number = 2 ** 30;
/** Characters of names in one entry: it stays well below the size from which rows live in the blob store. */
const ENTRY_CHARACTERS_MAX = 6_000;
/** What a name costs besides its characters. */
const NAME_CHARACTERS = 8;

type Name = readonly [collection: string, key: Key];

export class SyncMarks {
  readonly #state: Pick<StoreState, 'changes'>;
  readonly #first: number;
  #count = 0;

  /** `epoch`: of this writer. */
  constructor(state: Pick<StoreState, 'changes'>, epoch: number) {
    this.#state = state;
    this.#first = epoch * NUMBERS_OF_EPOCH;
    assert(Number.isSafeInteger(this.#first + NUMBERS_OF_EPOCH), 'A store is not opened that often.');
  }

  /** What a commit has to store besides, as one more of its parts; undefined when it changes nothing that is synchronised. */
  ofCommit(parts: readonly PreparedWrite[]): PreparedWrite | undefined {
    const { changes } = this.#state;
    if (changes === undefined) return undefined;
    const names = parts.flatMap(namesOf);
    return names.length === 0 ? undefined : writeOf(changes, this.#entries(names));
  }

  /** The same for commits that each create one row and are prepared together: one entry each, in their order. */
  ofCreates(collection: CollectionState, rows: readonly Row[]): PreparedWrite | undefined {
    const { changes } = this.#state;
    if (changes === undefined || collection.spec.sync !== true) return undefined;
    return writeOf(
      changes,
      rows.map((row) => this.#entry([[collection.spec.name, collection.keyOf(row)]], true)),
    );
  }

  /** Names of rows that nobody has changed: what was there before the collection was synchronised. */
  ofRows(collection: CollectionState, keys: readonly string[]): PreparedWrite {
    const { changes } = this.#state;
    assert(changes !== undefined, 'The collection for marks is made before any other is synchronised.');
    return writeOf(changes, this.#entries(toNames(collection, keys)));
  }

  #entries(names: readonly Name[]): readonly ChangesRow[] {
    const entries: ChangesRow[] = [];
    for (let from = 0; from < names.length; ) {
      const to = endOfEntry(names, from);
      entries.push(this.#entry(names.slice(from, to), to === names.length));
      from = to;
    }
    return entries;
  }

  #entry(rows: readonly Name[], isWhole: boolean): ChangesRow {
    this.#count += 1;
    assert(this.#count < NUMBERS_OF_EPOCH, 'One engine makes fewer commits.');
    return { id: this.#first + this.#count, rows, isWhole };
  }
}

function endOfEntry(names: readonly Name[], from: number): number {
  let characters = 0;
  for (let at = from; at < names.length; at += 1) {
    const [collection, key] = names[at]!;
    characters += NAME_CHARACTERS + collection.length + (typeof key === 'string' ? key.length : 0);
    const isFull = at - from >= CHANGED_ROWS_MAX || characters > ENTRY_CHARACTERS_MAX;
    if (isFull && at > from) return at;
  }
  return names.length;
}

function namesOf({ collection, changes, inserts, deletes }: PreparedWrite): readonly Name[] {
  if (collection.spec.sync !== true) return [];
  return toNames(collection, (inserts ?? deletes)?.keys ?? changes.map(({ key }) => key));
}

const toNames = ({ spec }: CollectionState, keys: readonly string[]): readonly Name[] =>
  keys.map((key) => [spec.name, decodePrimaryKey(key)]);

const writeOf = (collection: CollectionState, entries: readonly ChangesRow[]): PreparedWrite => ({
  collection,
  changes: entries.map(created),
  encoded: undefined,
  blobs: [],
  value: undefined,
});

const created = (row: ChangesRow): RowChange => ({
  key: encodePrimaryKey(row.id),
  before: undefined,
  freedBlob: undefined,
  after: { stored: row, row },
});
