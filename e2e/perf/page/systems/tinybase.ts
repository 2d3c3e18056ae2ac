import { createIndexes, createMergeableStore, createStore, type Row } from 'tinybase';
import { createIndexedDbPersister } from 'tinybase/persisters/persister-indexed-db';
import { createBroadcastChannelSynchronizer } from 'tinybase/synchronizers/synchronizer-broadcast-channel';
import type { Session, System } from '../system.ts';
import { filterOf, type TaskDocument } from '../task-document.ts';

export const system: System = {
  async open({ name, indexes, tabs }): Promise<Session> {
    const shared = tabs === 'several' ? createMergeableStore() : undefined;
    const store = shared ?? createStore();
    const definitions = createIndexes(store);
    if (indexes === 'two') {
      definitions.setIndexDefinition('status', 'tasks', 'status');
      definitions.setIndexDefinition('project', 'tasks', 'project', 'dueAt');
    }
    const persister = createIndexedDbPersister(store, name);
    await persister.load();
    const synchronizer = shared && createBroadcastChannelSynchronizer(shared, name);
    await synchronizer?.startSync();

    // Changes of one turn share one save: each save rewrites the whole table.
    let saving: Promise<unknown> | undefined;
    const saved = async (): Promise<void> => {
      saving ??= Promise.resolve().then(() => {
        saving = undefined;
        return persister.save();
      });
      await saving;
    };
    const row = (id: string): Row | undefined => (store.hasRow('tasks', id) ? store.getRow('tasks', id) : undefined);

    const range = (project: string, from: number, limit: number): Row[] => {
      const ids = definitions.getSliceRowIds('project', project);
      // The slice is sorted by dueAt, so the first row of the range is found by halving.
      let low = 0;
      let high = ids.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (Number(store.getCell('tasks', ids[middle]!, 'dueAt')) < from) low = middle + 1;
        else high = middle;
      }
      return ids.slice(low, low + limit).map((id) => store.getRow('tasks', id));
    };

    return {
      async insert(document) {
        store.setRow('tasks', document.id, document);
        await saved();
      },
      async insertMany(documents) {
        store.transaction(() => {
          for (const document of documents) store.setRow('tasks', document.id, document);
        });
        await saved();
      },
      get: async (id) => row(id),
      range: async (project, from, limit) => range(project, from, limit),
      async liveRange(project, from, limit, onRows) {
        const show = (): void => onRows(range(project, from, limit) as unknown as TaskDocument[]);
        show();
        const listener = store.addTableListener('tasks', show);
        return () => void store.delListener(listener);
      },
      async filter(from, owner) {
        const accepts = filterOf(from, owner);
        const rows: Row[] = [];
        store.forEachRow('tasks', (id) => {
          const found = store.getRow('tasks', id);
          if (accepts(found as unknown as TaskDocument)) rows.push(found);
        });
        return rows;
      },
      countAll: async () => store.getRowCount('tasks'),
      countStatus: async (status) => definitions.getSliceRowIds('status', status).length,
      async update(id, changes) {
        store.setPartialRow('tasks', id, changes);
        await saved();
      },
      async delete(id) {
        store.delRow('tasks', id);
        await saved();
      },
      compact: async () => false,
      recoveredCommits: async () => undefined,
      async close() {
        await persister.save();
        await persister.destroy();
        await synchronizer?.destroy();
      },
    };
  },
};
