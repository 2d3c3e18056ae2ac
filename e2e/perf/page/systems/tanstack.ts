import {
  BTreeIndex,
  createCollection,
  createIndexedDB,
  createLiveQueryCollection,
  eq,
  gte,
  indexedDBCollectionOptions,
  queryOnce,
} from '@tanstack/db';
import { groupRows } from '../group-rows.ts';
import type { Session, System } from '../system.ts';
import type { TaskDocument } from '../task-document.ts';

export const system: System = {
  async open({ name, indexes }): Promise<Session> {
    const db = await createIndexedDB({ name, version: 1, stores: ['tasks'] });
    const tasks = createCollection(
      indexedDBCollectionOptions<TaskDocument, string>({ db, name: 'tasks', getKey: (task) => task.id }),
    );
    if (indexes === 'two') {
      tasks.createIndex((row) => row.status, { indexType: BTreeIndex });
      tasks.createIndex((row) => row.project, { indexType: BTreeIndex });
      tasks.createIndex((row) => row.dueAt, { indexType: BTreeIndex });
    }
    await tasks.preload();
    return {
      async insert(document) {
        await tasks.insert(document).isPersisted.promise;
      },
      async insertMany(documents) {
        await tasks.insert([...documents]).isPersisted.promise;
      },
      get: async (id) => tasks.get(id),
      range: (project, from, limit) =>
        queryOnce((q) =>
          q
            .from({ task: tasks })
            .where(({ task }) => eq(task.project, project))
            .where(({ task }) => gte(task.dueAt, from))
            .orderBy(({ task }) => task.dueAt, 'asc')
            .limit(limit),
        ),
      async liveRange(project, from, limit, onRows) {
        const live = createLiveQueryCollection((q) =>
          q
            .from({ task: tasks })
            .where(({ task }) => eq(task.project, project))
            .where(({ task }) => gte(task.dueAt, from))
            .orderBy(({ task }) => task.dueAt, 'asc')
            .limit(limit),
        );
        await live.preload();
        const subscription = live.subscribeChanges(() => onRows(live.toArray), { includeInitialState: true });
        return () => {
          subscription.unsubscribe();
          void live.cleanup();
        };
      },
      filter: (from, owner) =>
        queryOnce((q) => {
          const all = q.from({ task: tasks }).where(({ task }) => gte(task.priority, from));
          const some = owner === undefined ? all : all.where(({ task }) => eq(task.owner, owner));
          return some.orderBy(({ task }) => task.id, 'asc');
        }),
      groupByProject: async () => groupRows(tasks.values()),
      countAll: async () => tasks.size,
      async countStatus(status) {
        const live = createLiveQueryCollection((q) =>
          q.from({ task: tasks }).where(({ task }) => eq(task.status, status)),
        );
        await live.preload();
        const count = live.size;
        await live.cleanup();
        return count;
      },
      async update(id, changes) {
        await tasks.update(id, (draft) => {
          Object.assign(draft, changes);
        }).isPersisted.promise;
      },
      async delete(id) {
        await tasks.delete(id).isPersisted.promise;
      },
      compact: async () => false,
      recoveredCommits: async () => undefined,
      async close() {
        await tasks.cleanup();
        db.close();
      },
    };
  },
};
