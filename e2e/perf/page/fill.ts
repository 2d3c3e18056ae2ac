/** The ways in which scenarios bring documents into a store before they measure. */
import { check, type Step } from './scenario.ts';
import type { Session } from './system.ts';
import { taskDocuments } from './task-document.ts';

/** Documents in one call, unless the size of the call is what is measured. */
const CALL_DOCUMENTS = 20_000;
/** Background work after a fill (a checkpoint, a relaxed writer) is not part of what is measured next. */
const SETTLE_MS = 1_000;

export async function fill(session: Session, size: number): Promise<void> {
  await insertAll(session, size);
  await settle();
  const count = await session.countAll();
  check(count === size, () => `${count} documents after inserting ${size}.`);
}

export async function insertAll(session: Session, size: number): Promise<void> {
  for (let from = 0; from < size; from += CALL_DOCUMENTS) {
    await session.insertMany(taskDocuments(from, Math.min(size, from + CALL_DOCUMENTS)));
  }
}

/** A step that leaves a filled store behind, closed. */
export const FILL: Step = {
  name: 'fill',
  start: 'same-page',
  async run(context) {
    const session = await context.open();
    await fill(session, context.size);
    await session.close();
  },
};

export const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));

/** Runs `operations` calls with at most `inFlightMax` unanswered at a time. */
export async function pipelined(
  operations: number,
  inFlightMax: number,
  call: (number: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < operations) await call(next++);
  };
  await Promise.all(Array.from({ length: Math.min(inFlightMax, operations) }, lane));
}
