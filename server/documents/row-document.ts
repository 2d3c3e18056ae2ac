/**
 * Yjs on the relay's side: folding updates into states, and documents that are open in an editor. A Y.Doc takes 5 KB, so
 * none is kept beyond what is being merged or edited. Updates come here checked (`checkUpdate`).
 */
import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';
import { isPlainObject } from '../../src/base/codec/index.ts';
import { ROW_DEPTH_MAX } from '../../src/base/limits.ts';

export type Folded = {
  readonly state: Uint8Array;
  readonly projection: Uint8Array | undefined;
  /** Updates that Yjs refused, by their place. They change nothing for anybody. */
  readonly refused: readonly number[];
};

/** Of updates that are merged into one. Yjs sorts all of them again for each struct, so many or large ones cost more than they save. */
const MERGED_MAX = 64;
const MERGED_BYTES_MAX = 16 * 1024;

/** The root map of a row's document. Permanent. */
const FIELDS = 'fields';

/** Costs about as much as the state and the updates have structs, whoever made them. */
export function foldRow(state: Uint8Array | undefined, updates: readonly Uint8Array[]): Folded {
  const doc = mergedAtOnce(state, updates);
  const { doc: merged, refused } = doc === undefined ? mergedSingly(state, updates) : { doc, refused: [] };
  const folded = { state: Y.encodeStateAsUpdate(merged), projection: projectionOf(merged), refused };
  merged.destroy();
  return folded;
}

/** Without a guid Yjs draws a random one, which costs more than everything else here. */
const createDoc = (): Y.Doc => new Y.Doc({ guid: 'row' });

/**
 * In one transaction: before and after each one Yjs walks through all clients that the document ever had, of which a row
 * may have thousands. Undefined when something was refused.
 */
function mergedAtOnce(state: Uint8Array | undefined, updates: readonly Uint8Array[]): Y.Doc | undefined {
  const doc = createDoc();
  try {
    Y.transact(doc, () => {
      if (state !== undefined) Y.applyUpdate(doc, state);
      for (const update of updates) Y.applyUpdate(doc, update);
    });
    return doc;
  } catch {
    doc.destroy();
    return undefined;
  }
}

/** One after the other, to find what Yjs refuses. */
function mergedSingly(
  state: Uint8Array | undefined,
  updates: readonly Uint8Array[],
): { readonly doc: Y.Doc; readonly refused: readonly number[] } {
  const refused: number[] = [];
  for (;;) {
    const doc = createDoc();
    const failed = applyAll(doc, state, updates, refused);
    if (failed === undefined) return { doc, refused };
    // Yjs may have taken half of it: begin again, without it.
    refused.push(failed);
    doc.destroy();
  }
}

/** Answers the place of the first update that Yjs refused. */
function applyAll(
  doc: Y.Doc,
  state: Uint8Array | undefined,
  updates: readonly Uint8Array[],
  without: readonly number[],
): number | undefined {
  if (state !== undefined) Y.applyUpdate(doc, state);
  for (const [index, update] of updates.entries()) {
    if (!without.includes(index) && !isApplied(doc, update)) return index;
  }
  return undefined;
}

/** Fewer updates that say the same, in their order: small ones that follow each other are merged. */
export function condensed(updates: readonly Uint8Array[]): readonly Uint8Array[] {
  const groups: Uint8Array[][] = [];
  let groupBytes = 0;
  for (const update of updates) {
    const group = groups.at(-1);
    groupBytes += update.length;
    if (group !== undefined && group.length < MERGED_MAX && groupBytes <= MERGED_BYTES_MAX) {
      group.push(update);
    } else {
      groups.push([update]);
      groupBytes = update.length;
    }
  }
  return groups.map((group) => (group.length === 1 ? group[0]! : Y.mergeUpdates(group)));
}

/** Plain fields in lib0's `any` encoding; undefined when something of the document is still missing or too deep. */
function projectionOf(doc: Y.Doc): Uint8Array | undefined {
  if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null) return undefined;
  const encoder = encoding.createEncoder();
  let fields: unknown;
  try {
    fields = doc.getMap(FIELDS).toJSON();
  } catch (error) {
    // Types nested by the thousand overflow the stack, and a root of another kind cannot be a map.
    if (error instanceof RangeError || error instanceof Error) return undefined;
    throw error;
  }
  if (!isWithin(fields, ROW_DEPTH_MAX)) return undefined;
  encoding.writeAny(encoder, fields as encoding.AnyEncodable);
  return encoding.toUint8Array(encoder);
}

function isWithin(value: unknown, depth: number): boolean {
  if (depth < 0) return false;
  if (Array.isArray(value)) return value.every((inner) => isWithin(inner, depth - 1));
  return !isPlainObject(value) || Object.values(value).every((inner) => isWithin(inner, depth - 1));
}

function isApplied(doc: Y.Doc, update: Uint8Array): boolean {
  try {
    Y.applyUpdate(doc, update);
    return true;
  } catch {
    return false;
  }
}

/** A document that somebody has open. Holds only what is durable. */
export class LiveDocument {
  readonly #doc: Y.Doc = createDoc();

  /** In one transaction, see `mergedAtOnce`. Answers those that Yjs did not refuse. */
  apply(updates: readonly Uint8Array[]): readonly Uint8Array[] {
    let applied: readonly Uint8Array[] = [];
    try {
      Y.transact(this.#doc, () => {
        applied = updates.filter((update) => isApplied(this.#doc, update));
      });
    } catch {
      // Yjs failed when it tidied up behind the transaction: what it had applied is in the document all the same.
    }
    return applied;
  }

  stateVector(): Uint8Array {
    return Y.encodeStateVector(this.#doc);
  }

  /** What somebody with this state vector misses. */
  missing(stateVector: Uint8Array): Uint8Array {
    return Y.encodeStateAsUpdate(this.#doc, stateVector);
  }

  /** Whether an update would change nothing: a client's answer to our first step mostly does not. */
  contains(update: Uint8Array): boolean {
    return Y.snapshotContainsUpdate(Y.snapshot(this.#doc), update);
  }

  destroy(): void {
    this.#doc.destroy();
  }
}
