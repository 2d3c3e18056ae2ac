/**
 * Which local commits become one batch. What a row holds now includes all commits that changed it, so a commit that
 * shares rows with a later one travels with it, and with all in between: nobody may see half of a transaction (R20). A
 * commit that touches rows of a batch that the relay has refused takes all of that batch along.
 */

import type { RowName } from '../../src/protocol/sync/index.ts';
import type { ChangesRow } from '../../src/protocol/sync-worker.ts';
import { rowId } from './row-id.ts';

/** Commits that leave as one batch. */
export type Group = {
  /** Entries of `$sync.changes`, oldest first, of whole commits. */
  readonly entries: readonly ChangesRow[];
  /** Each once, by its id, in the order of the entries. */
  readonly rows: ReadonlyMap<string, RowName>;
  /** Of batches that the relay has refused: what they hold is sent again, whole. */
  readonly refusedRows: ReadonlyMap<string, RowName>;
  readonly refusedEntries: ReadonlySet<number>;
};

/** What `Outbox.refusedWith` answers. */
export type Refused = { readonly entries: ReadonlySet<number>; readonly rows: ReadonlyMap<string, RowName> };

/**
 * `entries`: all that there are, oldest first. Those of a commit whose last entry is not among them are left for later.
 * Groups come in the order of their commits, as few commits in each as may be.
 */
export function planFold(
  entries: readonly ChangesRow[],
  refusedWith: (rows: Iterable<string>) => Refused,
): readonly Group[] {
  const commits = commitsOf(entries, refusedWith);
  const lastByRow = new Map<string, number>();
  const ids = ({ rows, refusedRows }: Group): Iterable<string>[] => [rows.keys(), refusedRows.keys()];
  for (const [index, commit] of commits.entries()) {
    for (const each of ids(commit)) for (const id of each) lastByRow.set(id, index);
  }
  const groups: Group[] = [];
  for (let from = 0; from < commits.length; ) {
    let to = from;
    for (let at = from; at <= to; at++) {
      for (const each of ids(commits[at]!)) for (const id of each) to = Math.max(to, lastByRow.get(id)!);
    }
    groups.push(merged(commits.slice(from, to + 1)));
    from = to + 1;
  }
  return groups;
}

function commitsOf(entries: readonly ChangesRow[], refusedWith: (rows: Iterable<string>) => Refused): readonly Group[] {
  const commits: Group[] = [];
  let open: ChangesRow[] = [];
  for (const entry of entries) {
    open.push(entry);
    if (!entry.isWhole) continue;
    const rows = new Map<string, RowName>();
    for (const each of open) {
      for (const [collection, key] of each.rows) rows.set(rowId(collection, key), { collection, key });
    }
    const refused = refusedWith(rows.keys());
    commits.push({ entries: open, rows, refusedRows: refused.rows, refusedEntries: refused.entries });
    open = [];
  }
  return commits;
}

function merged(commits: readonly Group[]): Group {
  if (commits.length === 1) return commits[0]!;
  const rows = new Map<string, RowName>();
  const refusedRows = new Map<string, RowName>();
  for (const commit of commits) {
    for (const [id, name] of commit.rows) rows.set(id, name);
    for (const [id, name] of commit.refusedRows) refusedRows.set(id, name);
  }
  return {
    entries: commits.flatMap((commit) => commit.entries),
    rows,
    refusedRows,
    refusedEntries: new Set(commits.flatMap((commit) => [...commit.refusedEntries])),
  };
}
