import { Dexie, type EntityTable, liveQuery } from 'dexie';
import { groupRows } from '../group-rows.ts';
import type { Session, System } from '../system.ts';
import { filterOf, type TaskDocument } from '../task-document.ts';

export const system: System = {
  async open({ name, indexes }): Promise<Session> {
    const db = new Dexie(name, { chromeTransactionDurability: 'relaxed' });
    db.version(1).stores({ tasks: indexes === 'two' ? 'id, status, [project+dueAt]' : 'id' });
    await db.open();
    const tasks = db.table('tasks') as EntityTable<TaskDocument, 'id'>;
    const range = (project: string, from: number, limit: number) =>
      tasks
        .where('[project+dueAt]')
        .between([project, from], [project, Dexie.maxKey], true, true)
        .limit(limit)
        .toArray();
    return {
      async insert(document) {
        await tasks.add(document);
      },
      async insertMany(documents) {
        await tasks.bulkAdd(documents);
      },
      get: (id) => tasks.get(id),
      range,
      async liveRange(project, from, limit, onRows) {
        const subscription = liveQuery(() => range(project, from, limit)).subscribe(onRows);
        return () => subscription.unsubscribe();
      },
      filter: (from, owner) => tasks.filter(filterOf(from, owner)).toArray(),
      groupByProject: async () => groupRows(await tasks.toArray()),
      countAll: () => tasks.count(),
      countStatus: (status) => tasks.where('status').equals(status).count(),
      async update(id, changes) {
        await tasks.update(id, changes);
      },
      async transfer(from, to, amount) {
        await db.transaction('rw', tasks, async () => {
          const [source, target] = await tasks.bulkGet([from, to]);
          await tasks.update(from, { priority: source!.priority - amount });
          await tasks.update(to, { priority: target!.priority + amount });
        });
        return 1;
      },
      delete: (id) => tasks.delete(id),
      deleteByStatus: (statuses) => tasks.where('status').anyOf(statuses).delete(),
      compact: async () => false,
      recoveredCommits: async () => undefined,
      async close() {
        db.close();
      },
    };
  },
};
