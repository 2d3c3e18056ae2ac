// The calls of PouchDB that the suite uses; the package ships no types.
declare module 'pouchdb-browser' {
  type Stored = { readonly _id: string; readonly _rev: string };
  export default class PouchDB {
    static plugin(plugin: unknown): void;
    constructor(name: string, options: object);
    createIndex(definition: object): Promise<unknown>;
    put(document: object): Promise<unknown>;
    bulkDocs(documents: readonly object[]): Promise<readonly { readonly error?: unknown }[]>;
    get(id: string): Promise<Stored>;
    remove(document: Stored): Promise<unknown>;
    find(query: object): Promise<{ readonly docs: readonly object[] }>;
    info(): Promise<{ readonly doc_count: number }>;
    compact(): Promise<unknown>;
    close(): Promise<void>;
  }
}
declare module 'pouchdb-find' {
  const plugin: unknown;
  export default plugin;
}
