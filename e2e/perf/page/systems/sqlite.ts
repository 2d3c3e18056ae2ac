/** SQLite works in a worker, where OPFS has synchronous handles; the page's half is a plain message port. */
import type { Session, System } from '../system.ts';
import type { SqliteCalls, SqliteReply, SqliteRequest } from './sqlite-calls.ts';

export const system: System = {
  async open(options): Promise<Session> {
    const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { type: 'module' });
    const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
    let calls = 0;
    worker.onmessage = ({ data }: MessageEvent<SqliteReply>) => {
      const waiter = waiting.get(data.call);
      waiting.delete(data.call);
      if (data.error === undefined) waiter?.resolve(data.value);
      else waiter?.reject(new Error(data.error));
    };
    worker.onerror = ({ message }) => {
      for (const waiter of waiting.values()) waiter.reject(new Error(`The SQLite worker failed: ${message}`));
      waiting.clear();
    };
    const ask = <Method extends keyof SqliteCalls>(
      method: Method,
      ...args: Parameters<SqliteCalls[Method]>
    ): ReturnType<SqliteCalls[Method]> =>
      new Promise((resolve, reject) => {
        const call = ++calls;
        waiting.set(call, { resolve, reject });
        worker.postMessage({ call, method, args } satisfies SqliteRequest);
      }) as ReturnType<SqliteCalls[Method]>;

    await ask('open', options);
    return {
      insert: (document) => ask('insert', document),
      insertMany: (documents) => ask('insertMany', JSON.stringify(documents)),
      get: (id) => ask('get', id),
      range: (project, from, limit) => ask('range', project, from, limit),
      filter: (from, owner) => ask('filter', from, owner),
      groupByProject: () => ask('groupByProject'),
      countAll: () => ask('countAll'),
      countStatus: (status) => ask('countStatus', status),
      update: (id, changes) => ask('update', id, changes),
      delete: (id) => ask('delete', id),
      deleteByStatus: (statuses) => ask('deleteByStatus', statuses),
      compact: () => ask('compact'),
      recoveredCommits: async () => undefined,
      async close() {
        await ask('close');
        worker.terminate();
      },
    };
  },
};
