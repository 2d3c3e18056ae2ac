import type { Scenario } from '../scenario.ts';
import { bulkInsert } from './bulk-insert.ts';
import { churn } from './churn.ts';
import { count } from './count.ts';
import { deleteMany } from './delete-many.ts';
import { diskBytes } from './disk-bytes.ts';
import { filter } from './filter.ts';
import { firstSync } from './first-sync.ts';
import { getByKey } from './get-by-key.ts';
import { groupBy } from './group-by.ts';
import { heapMillion } from './heap-million.ts';
import { indexedRange } from './indexed-range.ts';
import { liveStorm } from './live-storm.ts';
import { liveMany, liveUpdate } from './live-update.ts';
import { liveWindow } from './live-window.ts';
import { oneDocumentLatency } from './one-document-latency.ts';
import { openFirstInsert } from './open-first-insert.ts';
import { parallelInsert } from './parallel-insert.ts';
import { recovery } from './recovery.ts';
import { reopenFirstRead } from './reopen-first-read.ts';
import { serialInsert, serialInsertDeferred } from './serial-insert.ts';
import { sustainedLogWrites } from './sustained-log-writes.ts';
import { syncAway } from './sync-away.ts';
import { syncEdit } from './sync-edit.ts';
import { tabs } from './tabs.ts';
import { threadFloor } from './thread-floor.ts';
import { transactions } from './transactions.ts';

export const SCENARIOS: readonly Scenario[] = [
  openFirstInsert,
  threadFloor,
  serialInsert,
  serialInsertDeferred,
  parallelInsert,
  bulkInsert,
  getByKey,
  indexedRange,
  count,
  filter,
  groupBy,
  reopenFirstRead,
  recovery,
  sustainedLogWrites,
  oneDocumentLatency,
  transactions,
  liveUpdate,
  liveMany,
  liveWindow,
  liveStorm,
  tabs,
  deleteMany,
  churn,
  diskBytes,
  heapMillion,
  firstSync,
  syncEdit,
  syncAway,
];

export function mustScenario(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found === undefined) {
    throw new Error(`There is no scenario ${name}. There are: ${SCENARIOS.map((each) => each.name).join(', ')}.`);
  }
  return found;
}
