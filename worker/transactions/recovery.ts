/**
 * From storage to a state in memory: the catalogue of the superblock, then the log after its floor. Replay takes the
 * longest sound prefix of the log and reports what it dropped (B7); it writes nothing.
 */
import { toLsn } from '../../src/base/ids.ts';
import type { RecoveryReport } from '../../src/protocol/engine-api.ts';
import { encodePrimaryKey } from '../indexes/index.ts';
import { BlobRow } from '../pages/index.ts';
import type { Storage } from '../storage/index.ts';
import { type Compression, quarantineTail, readWal } from '../wal/index.ts';
import { type Commit, decodeCommits, type Operation } from './commit-format.ts';
import { CATALOGUE_FORMAT, type Catalogue, decodeCatalogue, StoreState } from './store-state.ts';
import { applyWrite, presentRow, type RowChange } from './write-task.ts';

export type Recovered = {
  readonly state: StoreState;
  /** Generation of the superblock; 0 when there is none yet. */
  readonly generation: number;
  readonly floor: number;
  readonly lastLsn: number;
  /** Of the last writer. The next one takes the next. */
  readonly epoch: number;
  readonly logBytes: number;
  readonly report: RecoveryReport;
};

const EMPTY: Catalogue = {
  format: CATALOGUE_FORMAT,
  floor: 0,
  epoch: 0,
  nextPage: 1,
  nextBlob: 1,
  nextTree: 1,
  nextCollection: 1,
  pendingPages: [],
  pendingBlobs: [],
  collections: [],
};

export async function recover(options: {
  readonly storage: Storage;
  readonly cacheBytesMax: number;
  readonly compression: Compression | undefined;
}): Promise<Recovered> {
  const { storage } = options;
  const superblock = await storage.pages.readSuperblock();
  const catalogue = superblock === undefined ? EMPTY : decodeCatalogue(superblock.bytes);
  const state = new StoreState(storage, options);
  state.load(catalogue);
  const reading = readWal({ log: storage.log, after: toLsn(catalogue.floor), compression: options.compression });
  let commitsKept = 0;
  let logBytes = 0;
  for await (const { payload } of reading) {
    logBytes += payload.length;
    for (const commit of decodeCommits(payload)) {
      await replay(state, commit);
      commitsKept += 1;
    }
    state.trim();
  }
  const report = reading.report();
  if (report.framesDropped > 0) await quarantineTail({ log: storage.log, report });
  state.settleAll();
  return {
    state,
    generation: superblock?.generation ?? 0,
    floor: catalogue.floor,
    lastLsn: report.lastLsn,
    epoch: Math.max(catalogue.epoch, report.epoch),
    logBytes,
    report: {
      framesKept: report.framesKept,
      commitsKept,
      framesDropped: report.framesDropped,
      bytesDropped: report.bytesDropped,
      reason: report.reason,
    },
  };
}

async function replay(state: StoreState, commit: Commit): Promise<void> {
  for (const operation of commit) {
    if (operation.type === 'catalogue') {
      state.applyCatalogueChange(operation.change);
      continue;
    }
    const collection = state.byId(operation.collection);
    const prepared = state.space.whenResident(() => changesOf(state, operation));
    const changes = prepared instanceof Promise ? await prepared : prepared;
    for (const { freedBlob } of changes) if (freedBlob !== undefined) state.replayFreed.push(freedBlob);
    const write = { collection, changes, encoded: undefined, blobs: [], value: undefined };
    const applying = state.space.whenResident(() => applyWrite(write));
    if (applying instanceof Promise) await applying;
  }
}

/** What an operation of the log changes. Replaying what the pages hold already gives the same state again. */
function changesOf(state: StoreState, operation: Exclude<Operation, { type: 'catalogue' }>): readonly RowChange[] {
  const collection = state.byId(operation.collection);
  const present = (key: string): { before: RowChange['before']; freedBlob: number | undefined } =>
    presentRow(state, collection, key) ?? { before: undefined, freedBlob: undefined };
  switch (operation.type) {
    case 'put':
      return operation.rows.map((row) => {
        const key = encodePrimaryKey(collection.keyOf(row));
        return { key, ...present(key), after: { stored: row, row } };
      });
    case 'put-blob': {
      const stored = new BlobRow(operation.key, operation.blob, operation.bytes);
      state.nextBlob = Math.max(state.nextBlob, operation.blob + 1);
      const { before, freedBlob } = present(operation.key);
      const row = state.wholeRow(stored);
      return [
        {
          key: operation.key,
          before,
          freedBlob: freedBlob === operation.blob ? undefined : freedBlob,
          after: { stored, row },
        },
      ];
    }
    case 'delete':
      return operation.keys
        .map((key) => ({ key, ...present(key), after: undefined }))
        .filter(({ before }) => before !== undefined);
  }
}
