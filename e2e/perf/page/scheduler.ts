/** The part of the Prioritized Task Scheduling API that is used; TypeScript's DOM library does not have it. */
interface Scheduler {
  postTask(
    task: () => void,
    options: { readonly delay?: number; readonly priority: 'user-blocking' | 'user-visible' | 'background' },
  ): Promise<void>;
}

export function mustScheduler(): Scheduler {
  const { scheduler } = globalThis as { scheduler?: Scheduler };
  if (scheduler === undefined) throw new Error('This browser has no scheduler.postTask.');
  return scheduler;
}
