/**
 * The native database of a store. Names and version are permanent: what users call a schema lives in values, so a new
 * release never has to upgrade a database that another tab holds open (B3).
 */
export const DATABASE_VERSION: number = 1;
export const OBJECT_STORES: readonly ObjectStoreName[] = ['log', 'pages', 'blobs', 'meta'];
/** The superblock's key in `pages`, below every page id. */
export const SUPERBLOCK_KEY: number = 0;

export type ObjectStoreName = 'log' | 'pages' | 'blobs' | 'meta';

export function databaseName(storeName: string): string {
  return `collection-store/${storeName}`;
}
