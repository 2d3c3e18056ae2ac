import { FILL, settle } from '../fill.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { isSameDocument, STATUSES, taskDocument } from '../task-document.ts';

/** Three of four: 450,000 of 600,000 documents. */
const DELETED = STATUSES.slice(0, 3);
const isDeleted = (number: number): boolean => DELETED.includes(taskDocument(number).status);
const PROBES = 200;

export const deleteMany: Scenario = defineScenario({
  name: 'delete-many',
  what: 'One call that deletes three quarters of all documents, found by an index; a fresh page checks what is left.',
  metrics: { acknowledged: 'ms', rate: 'per-s', 'delete:heap-workers': 'bytes' },
  sizes: [20_000, 600_000],
  peerSizeMax: 20_000,
  runsOn: (system) => ['ours', 'dexie', 'pglite', 'sqlite'].includes(system.name),
  deadlineMs: 15 * 60_000,
  steps: [
    FILL,
    {
      // A page that was just opened: none of the rows is in memory.
      name: 'delete',
      start: 'reload',
      measure: ['heap'],
      async run(context) {
        const session = await context.open();
        await settle();
        let deleted = 0;
        const elapsedMs = await context.watched(async () => {
          deleted = (await session.deleteByStatus?.(DELETED)) ?? 0;
        });
        context.record('acknowledged', elapsedMs);
        context.record('rate', (deleted / elapsedMs) * 1_000);
        const expected = countDeleted(context.size);
        check(deleted === expected, () => `${deleted} documents deleted, expected ${expected}.`);
      },
    },
    {
      name: 'check',
      start: 'restart',
      async run({ open, size }) {
        const session = await open();
        const left = size - countDeleted(size);
        const count = await session.countAll();
        check(count === left, () => `${count} documents are left, expected ${left}.`);
        for (const status of STATUSES) {
          const found = await session.countStatus(status);
          check(found === (DELETED.includes(status) ? 0 : left), () => `${found} documents with status ${status}.`);
        }
        for (let probe = 0; probe < PROBES; probe++) {
          const number = Math.floor((probe * size) / PROBES);
          const row = await session.get(taskDocument(number).id);
          const isRight = isDeleted(number) ? !row : isSameDocument(row, taskDocument(number));
          check(isRight, () => `document ${number} is ${JSON.stringify(row)}.`);
        }
        await session.close();
      },
    },
  ],
});

function countDeleted(size: number): number {
  let count = 0;
  for (let number = 0; number < size; number++) if (isDeleted(number)) count++;
  return count;
}
