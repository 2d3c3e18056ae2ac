/** Batches of the log as frames, with the changes as the log has them: nothing is encoded a second time. */
import { ByteWriter } from '../../src/base/bytes.ts';
import {
  BATCH_CHANGES_MAX,
  type RowChange,
  readChanges,
  WireReader,
  type WriterId,
  writeBatchStart,
  writeDeliverStart,
} from '../../src/protocol/sync/index.ts';
import type { Batch } from '../log/index.ts';

export type DeliverHead = { readonly request: number; readonly isComplete: boolean; readonly head: number };

/** Batches of writers in `own` are told by their places alone. */
export function deliverFrame(
  start: DeliverHead,
  batches: readonly Batch[],
  own: ReadonlySet<WriterId> = new Set(),
): Uint8Array {
  const writer = new ByteWriter();
  writeDeliverStart(writer, { ...start, batchCount: batches.length });
  for (const { sequence, writer: name, writerSequence, body } of batches) {
    const changes = own.has(name) ? undefined : body;
    writeBatchStart(writer, { sequence, writer: name, writerSequence, changes });
    if (changes !== undefined) writer.bytes(changes);
  }
  return writer.finish();
}

export const changesOf = (batch: Batch): readonly RowChange[] =>
  readChanges(new WireReader(batch.body), BATCH_CHANGES_MAX);
