import { fill } from '../fill.ts';
import { type Followed, followRange } from '../live-range.ts';
import { check, defineScenario, type Scenario, type StepContext } from '../scenario.ts';
import { SYNC_SYSTEMS } from '../sync-systems.ts';
import type { Session } from '../system.ts';
import { projectName } from '../task-document.ts';

const ROWS = 20;
const WARM_UP = 100;
/** Above all priorities that documents have. */
const FIRST_PRIORITY = 100;

/** Of this page, from one step to the next. */
let opened: { readonly session: Session; readonly followed: Followed } | undefined;

/**
 * The clocks of two browsers cannot be compared to a millisecond, so an edit goes there and another one comes back: half
 * of that is one way. Both wait for nothing but the live query.
 */
export const syncEdit: Scenario = defineScenario({
  name: 'sync-edit',
  suite: 'sync',
  what: 'Two devices with live queries of 20 rows: from update() on one to the emission on the other, half of there and back.',
  metrics: { edit: 'ms' },
  sizes: [1_000],
  operations: 300,
  runsOn: ({ name }) => SYNC_SYSTEMS.includes(name),
  steps: [
    {
      name: 'open',
      start: 'same-page',
      run: (context) => open(context, (session) => fill(session, context.size)),
    },
    { name: 'join', device: 'second', start: 'same-page', run: (context) => open(context) },
    { name: 'answer', device: 'second', start: 'same-page', run: answer },
    { name: 'edit', start: 'same-page', run: edit },
  ],
});

async function open(context: StepContext, prepare?: (session: Session) => Promise<void>): Promise<void> {
  const session = await context.open();
  await session.synced!();
  await prepare?.(session);
  await session.synced!();
  const count = await session.countAll();
  check(count === context.size, () => `${count} of ${context.size} documents are there.`);
  opened = { session, followed: await followRange(session, projectName(0), 0, ROWS) };
}

/** Gives the last of the rows the priority that it sees at the first. */
async function answer(): Promise<void> {
  const { session, followed } = opened!;
  const [first, last] = [followed.rows().at(0)!.id, followed.rows().at(-1)!.id];
  let answered = 0;
  followed.onRows((rows) => {
    const priority = rows.find(({ id }) => id === first)!.priority;
    if (priority < FIRST_PRIORITY || priority === answered) return;
    answered = priority;
    void session.update(last, { priority });
  });
}

async function edit(context: StepContext): Promise<void> {
  const { session, followed } = opened!;
  const [first, last] = [followed.rows().at(0)!.id, followed.rows().at(-1)!.id];
  for (let call = 0; call < WARM_UP + context.operations; call++) {
    const priority = FIRST_PRIORITY + call;
    const shown = followed.shown(last, priority);
    const startMs = performance.now();
    const updated = session.update(first, { priority });
    const tookMs = (await shown) - startMs;
    await updated;
    if (call >= WARM_UP) context.record('edit', tookMs / 2);
  }
}
