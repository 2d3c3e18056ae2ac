/** The sync worker's entry. The page's first message starts it, and brings its ports. */
import { createPlatform } from '../src/base/platform.ts';
import type { SyncStart } from '../src/protocol/sync-worker.ts';
import { createSocketOpener, SyncWorker } from './sync/index.ts';
import { openBroadcastChannel } from './tabs/index.ts';

addEventListener('message', ({ data }: MessageEvent<SyncStart>) => start(data), { once: true });

function start(message: SyncStart): void {
  const platform = { ...createPlatform(), openSocket: createSocketOpener() };
  new SyncWorker(message, { platform, channel: openBroadcastChannel(message.channel) });
}
