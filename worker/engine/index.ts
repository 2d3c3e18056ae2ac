export { createControl, type ServedStore, serveAlone } from './control.ts';
export type { Engine } from './engine.ts';
export { openEngine, openEngineOn } from './open-engine.ts';
export type { EnginePlatform, StorageFigures } from './platform.ts';
export { openSharedStore } from './shared-store.ts';
