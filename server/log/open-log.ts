/** The logs that the relay brings along. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Platform } from '../../src/base/platform.ts';
import { openKeyedLog } from './keyed-log.ts';
import { openLevelStore } from './level-store.ts';
import { type MemoryHome, openMemoryStore } from './memory-store.ts';
import type { RelayLog } from './relay-log.ts';

/** LevelDB in the folder `log` below `folder`, which is made when it is missing. */
export async function openLevelLog(folder: string, platform: Platform): Promise<RelayLog> {
  await mkdir(folder, { recursive: true });
  return openKeyedLog(await openLevelStore(join(folder, 'log')), platform);
}

/** In memory: "durable" means kept by `home`, which a test may open again. */
export const openMemoryLog = (platform: Platform, home?: MemoryHome): Promise<RelayLog> =>
  openKeyedLog(openMemoryStore(home), platform);
