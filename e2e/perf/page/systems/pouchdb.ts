import PouchDB from 'pouchdb-browser';
import PouchFind from 'pouchdb-find';
import type { Session, System } from '../system.ts';
import type { TaskDocument } from '../task-document.ts';

PouchDB.plugin(PouchFind);

const withKey = (document: TaskDocument) => ({ _id: document.id, ...document });

export const system: System = {
  async open({ name, indexes }): Promise<Session> {
    const db = new PouchDB(name, { adapter: 'idb', auto_compaction: false });
    if (indexes === 'two') {
      await db.createIndex({ index: { fields: ['status'], name: 'status', ddoc: 'status' } });
      await db.createIndex({ index: { fields: ['project', 'dueAt'], name: 'project', ddoc: 'project' } });
    }
    return {
      async insert(document) {
        await db.put(withKey(document));
      },
      async insertMany(documents) {
        const answers = await db.bulkDocs(documents.map(withKey));
        const refused = answers.filter((answer) => answer.error !== undefined).length;
        if (refused > 0) throw new Error(`PouchDB refused ${refused} documents.`);
      },
      get: (id) => db.get(id),
      async range(project, from, limit) {
        const selector = { project, dueAt: { $gte: from } };
        const sort = [{ project: 'asc' }, { dueAt: 'asc' }];
        return (await db.find({ selector, sort, limit, use_index: 'project' })).docs;
      },
      async filter(from, owner) {
        const selector = { priority: { $gte: from }, ...(owner === undefined ? {} : { owner }) };
        return (await db.find({ selector, limit: 10_000_000 })).docs;
      },
      // Design documents of the indexes count as documents.
      countAll: async () => (await db.info()).doc_count - (indexes === 'two' ? 2 : 0),
      countStatus: async (status) =>
        (await db.find({ selector: { status }, fields: ['_id'], limit: 10_000_000, use_index: 'status' })).docs.length,
      async update(id, changes) {
        await db.put({ ...(await db.get(id)), ...changes });
      },
      async delete(id) {
        await db.remove(await db.get(id));
      },
      async compact() {
        await db.compact();
        return true;
      },
      recoveredCommits: async () => undefined,
      close: () => db.close(),
    };
  },
};
