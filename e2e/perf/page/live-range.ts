/** Following live queries in scenarios: each tells when it shows what a write has changed. */
import { check } from './scenario.ts';
import type { Session } from './system.ts';
import type { TaskDocument } from './task-document.ts';

/** Longer than any system needs; a system that never emits must not hold the suite up. */
const EMISSION_MS_MAX = 20_000;

export type Followed = {
  /** The rows shown last. */
  readonly rows: () => readonly TaskDocument[];
  /** Resolves with the time at which the document was shown with that priority. */
  shown(id: string, priority: number): Promise<number>;
  /** Hands the rows of each emission on, until the function that it answers is called. */
  onRows(take: (rows: readonly TaskDocument[]) => void): () => void;
  stop(): void;
};

/** Resolves when the first rows are there. */
export async function follow(
  subscribe: (onRows: (rows: readonly TaskDocument[]) => void) => Promise<() => void> | undefined,
): Promise<Followed> {
  let rows: readonly TaskDocument[] = [];
  let isReady = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  const waiting = new Set<{ readonly id: string; readonly priority: number; readonly resolve: (at: number) => void }>();
  const takers = new Set<(rows: readonly TaskDocument[]) => void>();
  const stop = subscribe((next) => {
    const now = performance.now();
    rows = next;
    isReady();
    for (const take of takers) take(next);
    for (const wait of waiting) {
      if (rows.some(({ id, priority }) => id === wait.id && priority === wait.priority)) {
        waiting.delete(wait);
        wait.resolve(now);
      }
    }
  });
  if (stop === undefined) throw new Error('The system has no such live query.');
  const end = await stop;
  await ready;
  check(rows.length > 0, () => 'a live query is empty.');
  return {
    rows: () => rows,
    shown: (id, priority) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${id} was not emitted.`)), EMISSION_MS_MAX);
        const settle = (at: number): void => {
          clearTimeout(timer);
          resolve(at);
        };
        waiting.add({ id, priority, resolve: settle });
      }),
    onRows: (take) => {
      takers.add(take);
      return () => takers.delete(take);
    },
    stop: end,
  };
}

export const followRange = (session: Session, project: string, from: number, limit: number): Promise<Followed> =>
  follow((onRows) => session.liveRange?.(project, from, limit, onRows));

/** Systems whose session has `liveRange`. */
export const LIVE_SYSTEMS: readonly string[] = ['ours', 'ours-deferred', 'dexie', 'pglite', 'rxdb', 'tanstack'];
