/** The systems that are measured: what their answers mean, so that nobody compares a promise with a lesser one unawares. */

/**
 * What an acknowledged write survives. `memory`: nothing, it is not stored yet. `relaxed`: a killed tab or browser, not
 * a power cut. `strict`: a power cut as well.
 */
export type Acknowledgement = 'memory' | 'relaxed' | 'strict';

export type SystemName =
  | 'ours'
  | 'ours-deferred'
  | 'idb'
  | 'dexie'
  | 'rxdb'
  | 'tinybase'
  | 'pglite'
  | 'sqlite'
  | 'tanstack'
  | 'pouchdb';

export type SystemDescription = {
  readonly name: SystemName;
  readonly label: string;
  /** Packages whose versions go into the report. */
  readonly packages: readonly string[];
  readonly acknowledgement: Acknowledgement;
  readonly meaning: string;
  readonly thread: 'page' | 'worker';
  readonly indexes: string;
  /** `by-query`: writes leave the secondary indexes behind, and the next query that needs one pays. */
  readonly indexUpkeep: 'by-write' | 'by-query';
  readonly notes: string;
};

const descriptions: { readonly [Name in SystemName]: Omit<SystemDescription, 'name' | 'indexUpkeep'> } = {
  ours: {
    label: 'Collection Store',
    packages: ['collection-store'],
    acknowledgement: 'relaxed',
    meaning: 'The log frame that holds the write has completed its IndexedDB transaction.',
    thread: 'worker',
    indexes: 'status; project + dueAt',
    notes: 'Built package, default worker.',
  },
  'ours-deferred': {
    label: 'Collection Store, deferred',
    packages: ['collection-store'],
    acknowledgement: 'memory',
    meaning: 'Answered from memory; stored within 50 ms.',
    thread: 'worker',
    indexes: 'status; project + dueAt',
    notes: 'The same store with durability deferred.',
  },
  idb: {
    label: 'IndexedDB (idb)',
    packages: ['idb'],
    acknowledgement: 'relaxed',
    meaning: 'The IndexedDB transaction has completed with durability relaxed.',
    thread: 'page',
    indexes: 'native: status; [project, dueAt]',
    notes: 'One transaction per insert; bulk: one transaction, requests not awaited, commit() called.',
  },
  dexie: {
    label: 'Dexie',
    packages: ['dexie'],
    acknowledgement: 'relaxed',
    meaning: 'The IndexedDB transaction has completed with durability relaxed.',
    thread: 'page',
    indexes: 'native: status; [project+dueAt]',
    notes: 'add, bulkAdd, between().limit().',
  },
  rxdb: {
    label: 'RxDB (Dexie storage)',
    packages: ['rxdb', 'dexie'],
    acknowledgement: 'relaxed',
    meaning: 'The storage has written the documents; the IndexedDB transaction has completed.',
    thread: 'page',
    indexes: 'status; [project, dueAt] (RxDB adds the primary key to each)',
    notes:
      'insert, bulkInsert, findOne, find with sort and limit; production build, no schema validator, multiInstance for several tabs only.',
  },
  tinybase: {
    label: 'TinyBase (IndexedDB persister)',
    packages: ['tinybase'],
    acknowledgement: 'relaxed',
    meaning: 'persister.save() has completed: the whole table is one IndexedDB value, rewritten by each save.',
    thread: 'page',
    indexes: 'in memory: status; project sorted by dueAt',
    notes: 'Inserts started in one turn share one save. All rows are in memory, so reads never touch storage.',
  },
  pglite: {
    label: 'PGlite (idb, relaxedDurability)',
    packages: ['@electric-sql/pglite'],
    acknowledgement: 'memory',
    meaning: 'The statement ran in memory; files are written to IndexedDB afterwards.',
    thread: 'page',
    indexes: 'btree: (status); (project, due_at)',
    notes: 'Bulk: COPY from /dev/blob, the documented import, in one transaction.',
  },
  sqlite: {
    label: 'SQLite wasm (OPFS, SAH pool)',
    packages: ['@sqlite.org/sqlite-wasm'],
    acknowledgement: 'relaxed',
    meaning: 'Committed to the WAL file with synchronous=normal: written, not flushed.',
    thread: 'worker',
    indexes: 'btree: (status); (project, dueAt)',
    notes:
      'opfs-sahpool VFS in a worker, exclusive locking, WAL, prepared statements; bulk: one INSERT from json_each.',
  },
  tanstack: {
    label: 'TanStack DB (IndexedDB collection)',
    packages: ['@tanstack/db'],
    acknowledgement: 'relaxed',
    meaning: 'transaction.isPersisted: the IndexedDB transaction of the collection has completed.',
    thread: 'page',
    indexes: 'in memory: BTreeIndex on status, project and dueAt (it has no compound index)',
    notes: "The package's own indexedDBCollectionOptions. All rows are in memory, so reads never touch storage.",
  },
  pouchdb: {
    label: 'PouchDB (idb adapter)',
    packages: ['pouchdb-browser', 'pouchdb-find'],
    acknowledgement: 'relaxed',
    meaning: 'The IndexedDB transaction has completed.',
    thread: 'page',
    indexes: 'Mango: status; [project, dueAt], brought up to date by the first query that needs them, not by writes',
    notes: 'put, bulkDocs, find; its bulk insert pays for no secondary index.',
  },
};

export const SYSTEMS: readonly SystemDescription[] = Object.entries(descriptions).map(([name, description]) => ({
  name: name as SystemName,
  indexUpkeep: name === 'pouchdb' ? 'by-query' : 'by-write',
  ...description,
}));

export const OURS: readonly SystemName[] = ['ours', 'ours-deferred'];
export const isOurs = (name: SystemName): boolean => OURS.includes(name);

export function mustSystem(name: string): SystemDescription {
  const found = SYSTEMS.find((system) => system.name === name);
  if (found === undefined) {
    throw new Error(`There is no system ${name}. There are: ${SYSTEMS.map((system) => system.name).join(', ')}.`);
  }
  return found;
}
