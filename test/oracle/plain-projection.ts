/** What projections give, written down plainly: field after field, path after path. */
import type { Row } from '../../src/base/row.ts';
import { isPlain } from './plain-order.ts';

type Paths = Readonly<Record<string, 0 | 1>>;

export function projected(row: Row, project: Paths | undefined): Row {
  if (project === undefined) return row;
  const { id, ...others } = project;
  const ways = Object.values(others);
  const includes = (ways[0] ?? id) === 1;
  const paths = Object.keys(others);
  const withKey = id === undefined ? true : id === 1;
  const kept = includes
    ? keep(row, paths.concat(withKey ? ['id'] : []))
    : drop(row, paths.concat(withKey ? [] : ['id']));
  return kept as Row;
}

const below = (paths: readonly string[], name: string): readonly string[] =>
  paths.filter((path) => path.startsWith(`${name}.`)).map((path) => path.slice(name.length + 1));

function keep(value: unknown, paths: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((each) => keep(each, paths)).filter((each) => each !== undefined);
  if (!isPlain(value)) return undefined;
  const fields = Object.entries(value).map(([name, each]): readonly [string, unknown] => {
    if (paths.includes(name)) return [name, each];
    const inner = below(paths, name);
    return [name, inner.length === 0 ? undefined : keep(each, inner)];
  });
  return Object.fromEntries(fields.filter(([, each]) => each !== undefined));
}

function drop(value: unknown, paths: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((each) => drop(each, paths));
  if (!isPlain(value)) return value;
  const fields = Object.entries(value).filter(([name]) => !paths.includes(name));
  return Object.fromEntries(
    fields.map(([name, each]) => {
      const inner = below(paths, name);
      return [name, inner.length === 0 ? each : drop(each, inner)];
    }),
  );
}
