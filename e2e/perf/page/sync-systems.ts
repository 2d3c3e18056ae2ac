/** Systems that replicate with a server of their own: `session.synced`, and a server in runner/sync-server.ts. */
import type { SystemName } from './system-description.ts';

export const SYNC_SYSTEMS: readonly SystemName[] = ['ours', 'rxdb'];
