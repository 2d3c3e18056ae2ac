/** Our own store, imported by its package name from the built package. */
import { defineCollection, openStore, type StoreSync, type SyncOptions, type SyncState } from 'collection-store';
import { filter, firstValueFrom } from 'rxjs';
import type { OpenOptions, ProjectGroup, Session, System } from '../system.ts';
import type { TaskDocument } from '../task-document.ts';

const SECRET = 'perf';
/** A million documents take minutes. */
const FLUSH_MS_MAX = 900_000;

async function openOurs(options: OpenOptions, durability: 'relaxed' | 'deferred'): Promise<Session> {
  const tasks = defineCollection<TaskDocument>({
    key: 'id',
    indexes: options.indexes === 'two' ? ['status', ['project', 'dueAt']] : [],
  });
  // `unstable` is no part of the API: it holds checkpoints back, so that a log of known length can be recovered.
  const unstable = options.checkpoint === 'manual' ? { unstable: { checkpoint: 'manual' } } : {};
  const { name, server } = options;
  const sync = server === undefined ? undefined : { relays: [{ url: server }], token: SECRET };
  const store = await openStore({ name, collections: { tasks }, durability, sync, ...unstable } as Parameters<
    typeof openStore<{ tasks: typeof tasks }, SyncOptions | undefined>
  >[0]);
  const replication = (store as { readonly sync?: StoreSync }).sync;
  const collection = store.tasks;
  return {
    async insert(document) {
      await collection.create(document);
    },
    async insertMany(documents) {
      await collection.createMany(documents);
    },
    get: (id) => collection.get(id),
    range: async (project, from, limit) =>
      await collection.find({ project, dueAt: { $gte: from } }, { sort: { dueAt: 1 }, limit }),
    async liveRange(project, from, limit, onRows) {
      const query = collection.find({ project, dueAt: { $gte: from } }, { sort: { dueAt: 1 }, limit });
      const subscription = query.$.subscribe(onRows);
      return () => subscription.unsubscribe();
    },
    async liveFirst(limit, onRows) {
      const subscription = collection.find({}, { sort: { dueAt: 1 }, limit }).$.subscribe(onRows);
      return () => subscription.unsubscribe();
    },
    filter: async (from, owner) =>
      await collection.find({ priority: { $gte: from }, ...(owner === undefined ? {} : { owner }) }),
    groupByProject: async () =>
      await collection.aggregate<ProjectGroup>([
        { $group: { _id: '$project', total: { $sum: '$priority' }, count: { $sum: 1 } } },
        { $project: { _id: 0, project: '$_id', total: 1, count: 1 } },
      ]),
    async synced() {
      const isThrough = ({ connection, firstSync }: SyncState): boolean =>
        connection === 'online' && firstSync === undefined;
      await firstValueFrom(replication!.status$.pipe(filter(isThrough)));
      await replication!.flush({ timeoutMs: FLUSH_MS_MAX });
    },
    countAll: () => collection.count(),
    countStatus: (status) => collection.count({ status }),
    async update(id, changes) {
      await collection.update(id, changes);
    },
    async transfer(from, to, amount) {
      let runs = 0;
      await store.transaction(async (tx) => {
        runs += 1;
        const [source, target] = await tx.tasks.getMany([from, to]);
        await Promise.all([
          tx.tasks.update(from, { priority: source!.priority - amount }),
          tx.tasks.update(to, { priority: target!.priority + amount }),
        ]);
      });
      return runs;
    },
    async delete(id) {
      await collection.delete(id);
    },
    deleteByStatus: (statuses) => collection.deleteMany({ status: { $in: statuses } }),
    async compact() {
      await store.compact();
      return true;
    },
    async recoveredCommits() {
      return (await store.health()).recovery.commitsKept;
    },
    close: () => store.close(),
  };
}

export const system: System = { open: (options) => openOurs(options, options.durability) };
export const deferredSystem: System = { open: (options) => openOurs(options, 'deferred') };
