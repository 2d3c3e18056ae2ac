import sqlite3InitModule from '@sqlite.org/sqlite-wasm';
import type { OpenOptions, ProjectGroup } from '../system.ts';
import type { TaskDocument } from '../task-document.ts';
import type { SqliteCalls, SqliteReply, SqliteRequest } from './sqlite-calls.ts';

type Value = string | number | null;
/** The parts of the OO1 API that are used. */
interface Statement {
  bind(values: readonly Value[]): Statement;
  step(): boolean;
  stepReset(): Statement;
  get(target: object): Record<string, Value>;
  reset(): Statement;
  finalize(): void;
}
interface Database {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): void;
}

const TABLE = `CREATE TABLE IF NOT EXISTS tasks (
  id TEXT PRIMARY KEY, title TEXT NOT NULL, status TEXT NOT NULL, project TEXT NOT NULL,
  dueAt REAL NOT NULL, priority INTEGER NOT NULL, done INTEGER NOT NULL, owner TEXT NOT NULL) WITHOUT ROWID`;
const INDEXES = `CREATE INDEX IF NOT EXISTS tasks_status ON tasks (status);
  CREATE INDEX IF NOT EXISTS tasks_project_dueAt ON tasks (project, dueAt)`;

const values = (d: TaskDocument): Value[] => [
  ...[d.id, d.title, d.status, d.project],
  ...[d.dueAt, d.priority, Number(d.done), d.owner],
];
const toRow = (row: Record<string, Value>) => ({ ...row, done: row['done'] === 1 });

let db: Database | undefined;
const prepared = new Map<string, Statement>();

function mustDatabase(): Database {
  if (db === undefined) throw new Error('The database is not open.');
  return db;
}

function statement(sql: string, bound: readonly Value[] = []): Statement {
  let found = prepared.get(sql);
  if (found === undefined) {
    found = mustDatabase().prepare(sql);
    prepared.set(sql, found);
  }
  return bound.length > 0 ? found.bind(bound) : found;
}

function rows(sql: string, bound: readonly Value[] = []): Record<string, Value>[] {
  const cursor = statement(sql, bound);
  const found: Record<string, Value>[] = [];
  while (cursor.step()) found.push(cursor.get({}));
  cursor.reset();
  return found;
}

const INSERT = 'INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?)';
// Half the time of one prepared INSERT per row in one transaction: values do not cross into WebAssembly one by one.
const INSERT_JSON = `INSERT INTO tasks SELECT value->>'id', value->>'title', value->>'status', value->>'project',
  value->>'dueAt', value->>'priority', value->>'done', value->>'owner' FROM json_each(?)`;

const calls: SqliteCalls = {
  async open({ name, indexes }: OpenOptions) {
    const sqlite3 = await sqlite3InitModule();
    const pool = await sqlite3.installOpfsSAHPoolVfs({ name, directory: `/${name}` });
    db = new pool.OpfsSAHPoolDb('/tasks.sqlite3') as unknown as Database;
    // WAL works on this VFS only with exclusive locking, which a pool implies anyway.
    db.exec(
      'PRAGMA locking_mode=exclusive; PRAGMA journal_mode=wal; PRAGMA synchronous=normal; PRAGMA cache_size=-32000',
    );
    db.exec(TABLE);
    if (indexes === 'two') db.exec(INDEXES);
  },
  async insert(document) {
    statement(INSERT, values(document)).stepReset();
  },
  async insertMany(documentsJson) {
    statement(INSERT_JSON, [documentsJson]).stepReset();
  },
  async get(id) {
    const row = rows('SELECT * FROM tasks WHERE id = ?', [id])[0];
    return row === undefined ? undefined : toRow(row);
  },
  async range(project, from, limit) {
    const sql = 'SELECT * FROM tasks WHERE project = ? AND dueAt >= ? ORDER BY dueAt LIMIT ?';
    return rows(sql, [project, from, limit]).map(toRow);
  },
  async filter(from, owner) {
    const some = owner === undefined ? '' : ' AND owner = ?';
    const sql = `SELECT * FROM tasks WHERE priority >= ?${some} ORDER BY id`;
    return rows(sql, owner === undefined ? [from] : [from, owner]).map(toRow);
  },
  groupByProject: async () =>
    rows(
      'SELECT project, sum(priority) AS total, count(*) AS count FROM tasks GROUP BY project',
    ) as unknown as ProjectGroup[],
  countAll: async () => Number(rows('SELECT count(*) AS count FROM tasks')[0]?.['count']),
  countStatus: async (status) =>
    Number(rows('SELECT count(*) AS count FROM tasks WHERE status = ?', [status])[0]?.['count']),
  async update(id, changes) {
    const fields = Object.entries(changes);
    const bound = fields.map(([, value]) => (typeof value === 'boolean' ? Number(value) : value));
    const sets = fields.map(([field]) => `${field} = ?`).join(', ');
    statement(`UPDATE tasks SET ${sets} WHERE id = ?`, [...bound, id]).stepReset();
  },
  async delete(id) {
    statement('DELETE FROM tasks WHERE id = ?', [id]).stepReset();
  },
  async deleteByStatus(statuses) {
    statement(`DELETE FROM tasks WHERE status IN (${statuses.map(() => '?').join()})`, statuses).stepReset();
    return Number(rows('SELECT changes() AS count')[0]?.['count']);
  },
  async compact() {
    for (const each of prepared.values()) each.finalize();
    prepared.clear();
    mustDatabase().exec('VACUUM; PRAGMA wal_checkpoint(truncate)');
    return true;
  },
  async close() {
    for (const each of prepared.values()) each.finalize();
    prepared.clear();
    mustDatabase().close();
    db = undefined;
  },
};

const port = self as unknown as { postMessage(reply: SqliteReply): void; onmessage: unknown };
port.onmessage = async ({ data }: MessageEvent<SqliteRequest>) => {
  const { call, method, args } = data;
  try {
    const run = calls[method] as (...args: readonly unknown[]) => Promise<unknown>;
    port.postMessage({ call, value: await run(...args) });
  } catch (error) {
    port.postMessage({ call, error: error instanceof Error ? error.message : String(error) });
  }
};
