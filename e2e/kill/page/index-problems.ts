/** Queries by each index against a filter over the rows of a scan: the same as verify(), through the front door. */
import type { Collection } from 'collection-store';
import { type CollectionName, digestRow, type KillRow } from '../workload/row.ts';

/** Values of an index that are asked for; all of a small index, every nth of a large one. */
const VALUES_MAX = 6;

export async function indexProblems(
  collection: Collection<KillRow, KillRow, string>,
  name: CollectionName,
  rows: readonly KillRow[],
): Promise<readonly string[]> {
  const problems: string[] = [];
  const compare = (what: string, found: readonly KillRow[], expected: readonly KillRow[]): void => {
    const digests = new Map(expected.map((row) => [row.id, digestRow(row)]));
    const isSame = found.length === expected.length && found.every((row) => digests.get(row.id) === digestRow(row));
    if (!isSame) problems.push(`${name} by ${what}: ${found.length} rows, a scan has ${expected.length}`);
  };
  for (const group of some(rows.map((row) => row.group))) {
    const found = await collection.find({ group });
    compare(
      `group ${group}`,
      found,
      rows.filter((row) => row.group === group),
    );
  }
  if (name === 'notes') {
    for (const batch of some(rows.map((row) => row.batch))) {
      compare(
        `batch ${batch}`,
        await collection.find({ batch }),
        rows.filter((row) => row.batch === batch),
      );
    }
    return problems;
  }
  for (const email of some(rows.map((row) => row.email))) {
    compare(
      `email ${email}`,
      await collection.find({ email }),
      rows.filter((row) => row.email === email),
    );
  }
  for (const kind of some(rows.map((row) => row.kind))) {
    const found = await collection.find({ kind, rank: { $gte: 100, $lt: 400 } }, { sort: { rank: 1 } });
    compare(
      `kind ${kind} and rank`,
      found,
      rows.filter((row) => row.kind === kind && row.rank >= 100 && row.rank < 400),
    );
    if (found.some((row, at) => at > 0 && row.rank < found[at - 1]!.rank)) problems.push(`${name} by rank: not sorted`);
  }
  for (const tag of some(rows.flatMap((row) => row.tags))) {
    compare(
      `tag ${tag}`,
      await collection.find({ tags: tag }),
      rows.filter((row) => row.tags.includes(tag)),
    );
  }
  return problems;
}

function some(values: readonly string[]): readonly string[] {
  const all = [...new Set(values)];
  const step = Math.max(1, Math.floor(all.length / VALUES_MAX));
  return all.filter((_value, at) => at % step === 0).slice(0, VALUES_MAX);
}
