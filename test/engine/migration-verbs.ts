/** Migrations as tests run them: functions by version, rows counted. */
import type { Row } from '../../src/base/row.ts';
import type { CollectionSpec, IndexSpec } from '../../src/protocol/definition.ts';
import type { EngineApi, MigrateRows } from '../../src/protocol/engine-api.ts';
import { collection } from './engine-fixture.ts';
import { codeOf } from './engine-verbs.ts';

export type Steps = Readonly<Record<number, (row: Row) => Row>>;

/** A collection under a version, with all steps up to it. */
export const versioned = (
  version: number,
  indexes: readonly IndexSpec[] = [],
  more: Partial<CollectionSpec> = {},
): CollectionSpec =>
  collection('items', indexes, {
    version,
    migrations: Array.from({ length: version - 1 }, (_, at) => at + 2),
    ...more,
  });

/** As a page answers a batch. */
export const runOf =
  (steps: Steps, seen: (row: Row, from: number, to: number) => void = () => undefined): MigrateRows =>
  async (rows, from, to) => {
    const results: Row[] = [];
    for (const [at, row] of rows.entries()) {
      seen(row, from, to);
      let result = row;
      for (let version = from + 1; version <= to; version += 1) {
        try {
          result = steps[version]!(result);
        } catch (error) {
          return { row: at, version, reason: String(error) };
        }
      }
      results.push(result);
    }
    return { rows: results };
  };

/** Migrates, and answers `ok` or the code of the error. */
export function migrate(engine: EngineApi, run: MigrateRows, name = 'items'): Promise<string> {
  const offered = engine.migrate(name, run);
  offered.catch(() => undefined);
  return codeOf(engine.whenMigrated(name) ?? Promise.resolve());
}

/** The error of a migration that must fail. */
export async function failureOf(
  engine: EngineApi,
  run: MigrateRows,
): Promise<{ readonly code: string; readonly message: string; readonly details: Readonly<Record<string, unknown>> }> {
  engine.migrate('items', run).catch(() => undefined);
  return engine.whenMigrated('items')!.then(
    () => ({ code: 'ok', message: '', details: {} }),
    (error) => error,
  );
}
