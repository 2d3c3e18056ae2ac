/** Raw IndexedDB through idb: the floor that every store on IndexedDB stands on. */
import { type DBSchema, openDB } from 'idb';
import { groupRows } from '../group-rows.ts';
import type { Session, System } from '../system.ts';
import { filterOf, type TaskDocument } from '../task-document.ts';

interface Schema extends DBSchema {
  tasks: {
    key: string;
    value: TaskDocument;
    indexes: { status: string; projectDueAt: [string, number] };
  };
}

const RELAXED = { durability: 'relaxed' } as const;

export const system: System = {
  async open({ name, indexes }): Promise<Session> {
    const db = await openDB<Schema>(name, 1, {
      upgrade(database) {
        const store = database.createObjectStore('tasks', { keyPath: 'id' });
        if (indexes === 'none') return;
        store.createIndex('status', 'status');
        store.createIndex('projectDueAt', ['project', 'dueAt']);
      },
    });
    const writing = () => db.transaction('tasks', 'readwrite', RELAXED);
    return {
      async insert(document) {
        const tx = writing();
        void tx.store.add(document);
        tx.commit();
        await tx.done;
      },
      async insertMany(documents) {
        const tx = writing();
        for (const document of documents) void tx.store.add(document);
        tx.commit();
        await tx.done;
      },
      get: (id) => db.get('tasks', id),
      range: (project, from, limit) =>
        db.getAllFromIndex(
          'tasks',
          'projectDueAt',
          IDBKeyRange.bound([project, from], [project, []], false, true),
          limit,
        ),
      // What an application does: fetch all, then filter. A cursor costs a request for each row.
      filter: async (from, owner) => (await db.getAll('tasks')).filter(filterOf(from, owner)),
      groupByProject: async () => groupRows(await db.getAll('tasks')),
      countAll: () => db.count('tasks'),
      countStatus: (status) => db.countFromIndex('tasks', 'status', status),
      async update(id, changes) {
        const tx = writing();
        const row = await tx.store.get(id);
        if (row !== undefined) void tx.store.put({ ...row, ...changes });
        tx.commit();
        await tx.done;
      },
      delete: (id) => db.delete('tasks', id),
      compact: async () => false,
      recoveredCommits: async () => undefined,
      async close() {
        db.close();
      },
    };
  },
};
