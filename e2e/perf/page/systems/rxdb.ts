import { createRxDatabase, type RxJsonSchema } from 'rxdb/plugins/core';
import { replicateWithWebsocketServer } from 'rxdb/plugins/replication-websocket';
import { getRxStorageDexie } from 'rxdb/plugins/storage-dexie';
import type { Observable } from 'rxjs';
import type { Session, System } from '../system.ts';
import type { TaskDocument } from '../task-document.ts';

/** Documents in one message; of 100, 1,000 and 5,000 the fastest with 100,000 documents. */
const BATCH_SIZE = 1_000;

/** Indexed strings need a maximum length and indexed numbers bounds: RxDB builds index strings of fixed width. */
export const schemaWith = (indexes: 'two' | 'none'): RxJsonSchema<TaskDocument> => ({
  version: 0,
  primaryKey: 'id',
  type: 'object',
  properties: {
    id: { type: 'string', maxLength: 16 },
    title: { type: 'string' },
    status: { type: 'string', maxLength: 8 },
    project: { type: 'string', maxLength: 8 },
    dueAt: { type: 'number', minimum: 0, maximum: 4_000_000_000_000, multipleOf: 1 },
    priority: { type: 'number' },
    done: { type: 'boolean' },
    owner: { type: 'string' },
  },
  required: ['id', 'title', 'status', 'project', 'dueAt', 'priority', 'done', 'owner'],
  ...(indexes === 'two' ? { indexes: ['status', ['project', 'dueAt']] } : {}),
});

export const system: System = {
  async open({ name, indexes, tabs, server }): Promise<Session> {
    const database = await createRxDatabase({
      name,
      storage: getRxStorageDexie(),
      multiInstance: tabs === 'several',
      eventReduce: true,
    });
    const { tasks } = await database.addCollections<{ tasks: { schema: RxJsonSchema<TaskDocument> } }>({
      tasks: { schema: schemaWith(indexes) },
    } as never);
    const collection = tasks as unknown as Collection;
    const replication =
      server === undefined
        ? undefined
        : await replicateWithWebsocketServer({
            collection: tasks as never,
            url: server,
            replicationIdentifier: server,
            live: true,
            batchSize: BATCH_SIZE,
          });
    return {
      async insert(document) {
        await collection.insert(document);
      },
      async insertMany(documents) {
        const { error } = await collection.bulkInsert([...documents]);
        if (error.length > 0) throw new Error(`RxDB refused ${error.length} documents.`);
      },
      get: async (id) => (await collection.findOne(id).exec())?.toJSON(),
      async range(project, from, limit) {
        const selector = { project, dueAt: { $gte: from } };
        const rows = await collection.find({ selector, sort: [{ project: 'asc' }, { dueAt: 'asc' }], limit }).exec();
        return rows.map((row) => row.toJSON());
      },
      async liveRange(project, from, limit, onRows) {
        const selector = { project, dueAt: { $gte: from } };
        const query = collection.find({ selector, sort: [{ project: 'asc' }, { dueAt: 'asc' }], limit });
        const subscription = query.$.subscribe((rows) => onRows(rows.map((row) => row.toJSON() as TaskDocument)));
        return () => subscription.unsubscribe();
      },
      async filter(from, owner) {
        const selector = { priority: { $gte: from }, ...(owner === undefined ? {} : { owner }) };
        return (await collection.find({ selector, sort: [{ id: 'asc' }] }).exec()).map((row) => row.toJSON());
      },
      async synced() {
        await replication!.awaitInitialReplication();
        await replication!.awaitInSync();
      },
      countAll: () => collection.count({ selector: {} }).exec(),
      countStatus: (status) => collection.count({ selector: { status } }).exec(),
      async update(id, changes) {
        await (await collection.findOne(id).exec())?.incrementalPatch(changes);
      },
      async delete(id) {
        await (await collection.findOne(id).exec())?.incrementalRemove();
      },
      compact: async () => false,
      recoveredCommits: async () => undefined,
      async close() {
        await database.close();
      },
    };
  },
};

/** The calls used here. RxDB's own types infer through dozens of generics, which would cost seconds of each type check. */
interface Collection {
  insert(document: TaskDocument): Promise<unknown>;
  bulkInsert(documents: TaskDocument[]): Promise<{ readonly error: readonly unknown[] }>;
  findOne(id: string): { exec(): Promise<Document | null> };
  find(query: object): { exec(): Promise<readonly Document[]>; readonly $: Observable<readonly Document[]> };
  count(query: object): { exec(): Promise<number> };
}
interface Document {
  toJSON(): unknown;
  incrementalPatch(changes: Partial<TaskDocument>): Promise<unknown>;
  incrementalRemove(): Promise<unknown>;
}
