/**
 * Processor time of a page's own thread, as the browser counts it: all tasks, of whatever code and of the browser itself.
 * Time in which the thread waited for a processor is no part of it, so a busy machine disturbs it little.
 */
import type { CDPSession, Page } from 'playwright';

const MS_PER_S = 1_000;

/** Answers `window.perfThreadMs`. Nothing is counted before the page asks for the first time. */
export async function exposeThreadTime(page: Page): Promise<void> {
  let session: CDPSession | undefined;
  await page.exposeFunction('perfThreadMs', async (): Promise<number> => {
    if (session === undefined) {
      session = await page.context().newCDPSession(page);
      await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    }
    const { metrics } = await session.send('Performance.getMetrics');
    const spent = metrics.find(({ name }) => name === 'TaskDuration');
    if (spent === undefined) throw new Error('The browser does not count the time of tasks.');
    return spent.value * MS_PER_S;
  });
}
