/** The rows of the two collections, and what tells two of them apart. */
import type { CollectionDefinition } from '../../../src/index.ts';

export type CollectionName = 'items' | 'notes';
export const COLLECTION_NAMES: readonly CollectionName[] = ['items', 'notes'];

export type KillRow = {
  readonly id: string;
  /** Unique in `items`. */
  readonly email: string;
  readonly group: string;
  readonly kind: string;
  readonly rank: number;
  readonly tags: readonly string[];
  /** Rows of one createMany have the same. */
  readonly batch: string;
  readonly body: string;
};

/** `notes` has no unique index, so large inserts into it take the engine's short way. */
export const DEFINITIONS: { readonly [name in CollectionName]: CollectionDefinition<KillRow, KillRow, 'id'> } = {
  items: {
    indexes: ['group', { on: 'email', unique: true }, ['kind', 'rank'], { on: 'tags', multi: true }],
  },
  notes: { indexes: ['group', ['group', 'kind', 'rank'], 'batch'] },
};

/** Equal for equal rows, whatever the order of their fields. */
export function digestRow(row: KillRow): string {
  const { id, email, group, kind, rank, tags, batch, body } = row;
  const text = JSON.stringify([id, email, group, kind, rank, tags, batch, Object.keys(row).length, body]);
  return `${text.length.toString(36)}-${hash(text, 0x811c9dc5)}${hash(text, 0x1234567)}`;
}

/** FNV-1a. */
function hash(text: string, basis: number): string {
  let value = basis;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return (value >>> 0).toString(36);
}
