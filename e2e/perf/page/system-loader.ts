/** Loads one system: each is a chunk of its own, so a run never pays for the code of another. */
import type { System } from './system.ts';
import type { SystemName } from './system-description.ts';

const loaders: { readonly [Name in SystemName]: () => Promise<System> } = {
  ours: async () => (await import('./systems/ours.ts')).system,
  'ours-deferred': async () => (await import('./systems/ours.ts')).deferredSystem,
  idb: async () => (await import('./systems/idb.ts')).system,
  dexie: async () => (await import('./systems/dexie.ts')).system,
  rxdb: async () => (await import('./systems/rxdb.ts')).system,
  tinybase: async () => (await import('./systems/tinybase.ts')).system,
  pglite: async () => (await import('./systems/pglite.ts')).system,
  sqlite: async () => (await import('./systems/sqlite.ts')).system,
  tanstack: async () => (await import('./systems/tanstack.ts')).system,
  pouchdb: async () => (await import('./systems/pouchdb.ts')).system,
};

export const loadSystem = (name: SystemName): Promise<System> => loaders[name]();
