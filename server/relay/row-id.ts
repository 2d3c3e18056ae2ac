import type { RowName } from '../../src/protocol/sync/index.ts';

/** A row's name as one text, for maps. */
export const rowId = ({ collection, key }: RowName): string => JSON.stringify([collection, key]);
