/** Bytes on disk, as the browser tells the application and as the profile's folder shows. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright';

/** Folders of a Chromium profile that hold what an origin stores. */
const FOLDERS = ['Default/IndexedDB', 'Default/WebStorage', 'Default/File System'];

export async function measureDisk(page: Page, profile: string): Promise<{ usage: number; profile: number }> {
  const usage = await page.evaluate(async () => (await navigator.storage.estimate()).usage ?? 0);
  let bytes = 0;
  for (const folder of FOLDERS) bytes += await folderBytes(join(profile, folder));
  return { usage, profile: bytes };
}

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries) {
    // A running browser deletes files while they are counted.
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}
