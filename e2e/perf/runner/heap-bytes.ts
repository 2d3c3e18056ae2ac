/**
 * JavaScript heap of the page and of each of its workers after garbage collection, objects and buffers together. Two
 * sources: V8's own figures through the DevTools protocol, and the browser's `measureUserAgentSpecificMemory`.
 */
import type { CDPSession, Page } from 'playwright';

export type Heap = {
  readonly heap: number;
  readonly 'heap-page': number;
  readonly 'heap-workers': number;
  /** All that the browser attributes to the page's agents; includes WebAssembly memory. */
  readonly 'heap-agent': number;
};

type HeapUsage = { readonly usedSize: number; readonly backingStorageSize?: number };
type Send = (method: string) => Promise<unknown>;

const COLLECTIONS = 3;
const ATTACH_MS = 500;
const ANSWER_MS = 60_000;

export async function measureHeap(page: Page): Promise<Heap> {
  const session = await page.context().newCDPSession(page);
  const page_ = await heapOf((method) => session.send(method as 'Runtime.getHeapUsage'));
  let workers = 0;
  for (const send of await workerTargets(session)) workers += await heapOf(send);
  await session.detach();
  return { heap: page_ + workers, 'heap-page': page_, 'heap-workers': workers, 'heap-agent': await agentBytes(page) };
}

async function heapOf(send: Send): Promise<number> {
  // Weak references and finalizers need more than one collection.
  for (let time = 0; time < COLLECTIONS; time++) await send('HeapProfiler.collectGarbage');
  const usage = (await send('Runtime.getHeapUsage')) as HeapUsage;
  return usage.usedSize + (usage.backingStorageSize ?? 0);
}

/** Workers are targets of their own. Playwright offers no flattened child sessions, so messages travel in messages. */
async function workerTargets(session: CDPSession): Promise<Send[]> {
  const sessionIds: string[] = [];
  session.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
    if (targetInfo.type === 'worker') sessionIds.push(sessionId);
  });
  await session.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  await new Promise((resolve) => setTimeout(resolve, ATTACH_MS));
  let calls = 0;
  return sessionIds.map((sessionId) => (method) => {
    const id = ++calls;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(() => reject(new Error(`${method}: a worker gave no answer.`))), ANSWER_MS);
      const settle = (how: () => void): void => {
        clearTimeout(timer);
        session.off('Target.receivedMessageFromTarget', listener);
        how();
      };
      const listener = (event: { readonly sessionId: string; readonly message: string }): void => {
        const message = JSON.parse(event.message) as { id?: number; result?: unknown; error?: { message: string } };
        if (event.sessionId !== sessionId || message.id !== id) return;
        const { error } = message;
        if (error === undefined) settle(() => resolve(message.result));
        else settle(() => reject(new Error(`${method}: ${error.message}`)));
      };
      session.on('Target.receivedMessageFromTarget', listener);
      void session.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id, method }) });
    });
  });
}

async function agentBytes(page: Page): Promise<number> {
  const measure = page.evaluate(async () => {
    const { measureUserAgentSpecificMemory } = performance as unknown as {
      measureUserAgentSpecificMemory?: () => Promise<{ readonly bytes: number }>;
    };
    return (await measureUserAgentSpecificMemory?.call(performance))?.bytes ?? 0;
  });
  return measure;
}
