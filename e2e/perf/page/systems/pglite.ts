import { IdbFs, PGlite } from '@electric-sql/pglite';
import { live } from '@electric-sql/pglite/live';
import type { ProjectGroup, Session, System } from '../system.ts';
import type { TaskDocument } from '../task-document.ts';

const TABLE = `CREATE TABLE IF NOT EXISTS tasks (
  id text PRIMARY KEY, title text NOT NULL, status text NOT NULL, project text NOT NULL,
  due_at double precision NOT NULL, priority integer NOT NULL, done boolean NOT NULL, owner text NOT NULL)`;
const INDEXES = `CREATE INDEX IF NOT EXISTS tasks_status ON tasks (status);
  CREATE INDEX IF NOT EXISTS tasks_project_due_at ON tasks (project, due_at)`;
const COLUMNS = 'id, title, status, project, due_at AS "dueAt", priority, done, owner';
const RANGE = `SELECT ${COLUMNS} FROM tasks WHERE project = $1 AND due_at >= $2 ORDER BY due_at LIMIT $3`;
const COLUMN_OF: { readonly [field: string]: string } = { dueAt: 'due_at' };

const csvText = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const csvLine = (d: TaskDocument): string =>
  `${d.id},${csvText(d.title)},${d.status},${d.project},${d.dueAt},${d.priority},${d.done},${d.owner}`;

export const system: System = {
  async open({ name, indexes }): Promise<Session> {
    const files = new IdbFs(name);
    const db = await PGlite.create({ fs: files, relaxedDurability: true, extensions: { live } });
    await db.exec(TABLE);
    if (indexes === 'two') await db.exec(INDEXES);
    return {
      async insert(d) {
        await db.query('INSERT INTO tasks VALUES ($1, $2, $3, $4, $5, $6, $7, $8)', [
          ...[d.id, d.title, d.status, d.project],
          ...[d.dueAt, d.priority, d.done, d.owner],
        ]);
      },
      async insertMany(documents) {
        const blob = new Blob([documents.map(csvLine).join('\n'), '\n']);
        await db.query("COPY tasks FROM '/dev/blob' WITH (FORMAT csv)", [], { blob });
      },
      get: async (id) => (await db.query(`SELECT ${COLUMNS} FROM tasks WHERE id = $1`, [id])).rows[0],
      range: async (project, from, limit) => (await db.query(RANGE, [project, from, limit])).rows,
      async liveRange(project, from, limit, onRows) {
        const onResults = ({ rows }: { rows: TaskDocument[] }): void => onRows(rows);
        const { unsubscribe } = await db.live.query<TaskDocument>(RANGE, [project, from, limit], onResults);
        return () => void unsubscribe();
      },
      async filter(from, owner) {
        const some = owner === undefined ? '' : ' AND owner = $2';
        const sql = `SELECT ${COLUMNS} FROM tasks WHERE priority >= $1::float8${some} ORDER BY id`;
        return (await db.query(sql, owner === undefined ? [from] : [from, owner])).rows;
      },
      groupByProject: async () => {
        const sql = 'SELECT project, sum(priority)::int AS total, count(*)::int AS count FROM tasks GROUP BY project';
        return (await db.query<ProjectGroup>(sql)).rows;
      },
      countAll: async () => countOf(await db.query('SELECT count(*)::int AS count FROM tasks')),
      countStatus: async (status) =>
        countOf(await db.query('SELECT count(*)::int AS count FROM tasks WHERE status = $1', [status])),
      async update(id, changes) {
        const fields = Object.entries(changes);
        const sets = fields.map(([field], at) => `${COLUMN_OF[field] ?? field} = $${at + 2}`).join(', ');
        await db.query(`UPDATE tasks SET ${sets} WHERE id = $1`, [id, ...fields.map(([, value]) => value)]);
      },
      async delete(id) {
        await db.query('DELETE FROM tasks WHERE id = $1', [id]);
      },
      deleteByStatus: async (statuses) =>
        (await db.query('DELETE FROM tasks WHERE status = ANY($1)', [statuses])).affectedRows ?? 0,
      async compact() {
        await db.exec('VACUUM FULL tasks');
        return true;
      },
      recoveredCommits: async () => undefined,
      async close() {
        // close() does not wait for the relaxed writer: without this the rows are gone after a reload.
        await files.syncToFs();
        await db.close();
      },
    };
  },
};

const countOf = ({ rows }: { readonly rows: readonly unknown[] }): number => (rows[0] as { count: number }).count;
