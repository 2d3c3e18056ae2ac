import type { Platform } from '../../src/base/platform.ts';

/** The name of a writer at the relay: hex of 16 random bytes. */
export function drawWriter({ random }: Pick<Platform, 'random'>): string {
  const bytes = new Uint8Array(16);
  random(bytes);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
