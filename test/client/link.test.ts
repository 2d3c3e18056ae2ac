/**
 * Goal: what travels on the port, and that every call settles. Method: a link on one end of a real port; the test reads
 * and answers the other end itself. Time is manual.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { decodeRows } from '../../src/base/codec/index.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { Link } from '../../src/client/link.ts';
import { type Call, type ClientMessage, ERROR, OK, PROGRESS, type Reply } from '../../src/protocol/messages.ts';
import { createManualPlatform } from '../fakes/manual-platform.ts';
import { facts, refusal } from './client-fixture.ts';

const owner = { name: 'tasks', key: 'id' };
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function linked() {
  const { port1, port2 } = new MessageChannel();
  const platform = createManualPlatform();
  const errors: string[] = [];
  const link = new Link(port1, platform, ({ code }) => errors.push(code));
  const messages: ClientMessage[] = [];
  port2.onmessage = ({ data }) => messages.push(data);
  ends.push(() => port2.close());
  return {
    link,
    platform,
    errors,
    messages,
    get: (key: string, options?: object) => link.request(['get', 0, 'tasks', key], { owner, options }),
    put: (row: Record<string, unknown>, options?: object) =>
      link.request(['write', 0, 'tasks', 'put', 1, undefined, false], { owner, options, rows: [row], answer: row }),
    reply: async (...replies: Reply[]) => {
      port2.postMessage(replies);
      await settled();
    },
    calls: () => messages.flatMap(([calls]) => calls),
  };
}

/** Long enough for a message between two ports of a busy process. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

describe('messages', () => {
  test('[CALL-1] calls of one microtask are one message, in order, with one batch of rows', async () => {
    const { get, put, messages } = linked();
    void get('a').catch(() => {});
    void put({ id: 'b', n: 1 }).catch(() => {});
    void put({ id: 'c', n: 2 }).catch(() => {});
    void get('d').catch(() => {});
    await settled();
    expect(messages).toHaveLength(1);
    const [calls, rows] = messages[0]!;
    expect(calls.map(([type, id]) => [type, id])).toEqual([
      ['get', 1],
      ['write', 2],
      ['write', 3],
      ['get', 4],
    ]);
    expect(decodeRows(rows!)).toEqual([
      { id: 'b', n: 1 },
      { id: 'c', n: 2 },
    ]);
  });

  test('a later microtask is another message', async () => {
    const { get, messages } = linked();
    void get('a').catch(() => {});
    await Promise.resolve();
    void get('b').catch(() => {});
    await settled();
    expect(messages.map(([calls]) => calls.length)).toEqual([1, 1]);
  });

  test('[CALL-2] a row that cannot be stored rejects its own call only', async () => {
    const { get, put, link, reply, calls } = linked();
    const good = put({ id: 'good' });
    const bad = put({ id: 'bad', inner: { run: () => {} } });
    const read = get('a');
    expect(facts(await refusal(bad))).toEqual({
      code: 'collection/invalid-document',
      collection: 'tasks',
      key: 'bad',
      issues: [expect.objectContaining({ path: 'inner.run', rule: 'row/unsupported-value', found: 'function' })],
    });
    await settled();
    expect(calls().map(([type, id]) => [type, id])).toEqual([
      ['write', 1],
      ['get', 3],
    ]);
    await reply([1, OK, undefined], [3, OK, undefined]);
    expect(await good).toEqual({ id: 'good' });
    expect(await read).toBeUndefined();
    expect(link.inFlight.size).toBe(0);
  });

  test('[CALL-2] an argument that cannot be cloned rejects its own call only', async () => {
    const { get, link, calls } = linked();
    const call: Call = ['count', 0, 'tasks', { a: () => {} }, {}];
    const bad = link.request(call, { owner });
    void get('a').catch(() => {});
    expect(facts(await refusal(bad))).toEqual({ code: 'call/not-cloneable', collection: 'tasks', call: 'count' });
    await settled();
    expect(calls().map(([type]) => type)).toEqual(['get']);
  });
});

describe('answers', () => {
  test('each answer settles its own call, in any order; answers to nobody are ignored', async () => {
    const { get, reply, link } = linked();
    const a = get('a');
    const b = get('b');
    await reply([2, OK, { id: 'b' }], [9, OK, 1], [1, OK, { id: 'a' }], [1, OK, { id: 'again' }]);
    expect([await a, await b]).toEqual([{ id: 'a' }, { id: 'b' }]);
    expect(link.inFlight.size).toBe(0);
  });

  test('[CALL-5] an error arrives with code, details and hint, and names the collection', async () => {
    const { get, reply, errors } = linked();
    const a = refusal(get('a'));
    const wire = {
      code: 'storage/quota',
      message: 'Full.',
      details: { bytes: 5 },
      hint: 'Delete.',
      cause: 'Quota',
    } as const;
    await reply([1, ERROR, wire]);
    const error = await a;
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: 'storage/quota', message: 'Full.', hint: 'Delete.', cause: 'Quota' });
    expect(error.details).toEqual({ collection: 'tasks', bytes: 5 });
    expect(errors).toEqual(['storage/quota']);
  });

  test('progress comes before the end, and none after it', async () => {
    const { link, reply } = linked();
    const seen: number[] = [];
    const build = link.request(['compact', 0], { options: { onProgress: ({ done }) => seen.push(done) } });
    await reply([1, PROGRESS, 1, 3], [1, PROGRESS, 2, 3], [1, OK, 'done'], [1, PROGRESS, 3, 3]);
    expect(await build).toBe('done');
    expect(seen).toEqual([1, 2]);
  });
});

describe('[T6] every call settles', () => {
  test('[T6] one timer serves all deadlines of a worker that answers nothing', async () => {
    const { get, put, platform, link, calls } = linked();
    const short = refusal(get('a', { timeoutMs: 50 }));
    const long = refusal(put({ id: 'b' }));
    const never = get('c', { timeoutMs: Number.POSITIVE_INFINITY });
    expect(platform.timerCount).toBe(1);
    await settled();
    platform.advance(49);
    expect(link.inFlight.size).toBe(3);
    platform.advance(1);
    expect(facts(await short)).toEqual({ code: 'call/timeout', collection: 'tasks', call: 'get', timeoutMs: 50 });
    platform.advance(30_000);
    const error = await long;
    expect(facts(error)).toEqual({ code: 'call/timeout', collection: 'tasks', call: 'put', timeoutMs: 30_000 });
    expect(error.hint).toContain('unknown');
    expect(link.inFlight.size).toBe(1);
    expect(platform.timerCount).toBe(0);
    link.close(new StoreError('engine/lost', 'Lost.'));
    expect((await refusal(never)).code).toBe('engine/lost');
    await settled();
    // The engine is told, so that it need not go on.
    expect(
      calls()
        .filter(([type]) => type === 'cancel')
        .map(([, id]) => id),
    ).toEqual([1, 2]);
  });

  test('[T6] a deadline that was met leaves no timer that does harm', async () => {
    const { get, reply, platform, link } = linked();
    const a = get('a');
    await reply([1, OK, undefined]);
    expect(await a).toBeUndefined();
    platform.advance(60_000);
    expect(platform.timerCount).toBe(0);
    expect(link.inFlight.size).toBe(0);
  });

  test('[T6] the end of the link rejects what is under way and what comes later', async () => {
    const { get, link, platform } = linked();
    const before = refusal(get('a'));
    link.close(new StoreError('engine/lost', 'Lost.'));
    link.close(new StoreError('store/closed', 'Closed.'));
    expect((await before).code).toBe('engine/lost');
    expect((await refusal(get('b'))).code).toBe('engine/lost');
    expect(link.inFlight.size).toBe(0);
    expect(platform.timerCount).toBe(0);
  });
});

describe('signals', () => {
  test('[CALL-4] an aborted signal sends nothing, before the call or before its message', async () => {
    const { get, put, messages, link } = linked();
    expect((await refusal(get('a', { signal: AbortSignal.abort('why') }))).cause).toBe('why');
    const controller = new AbortController();
    const write = put({ id: 'b' }, { signal: controller.signal });
    controller.abort();
    expect((await refusal(write)).code).toBe('call/aborted');
    await settled();
    expect(messages).toEqual([]);
    expect(link.inFlight.size).toBe(0);
  });

  test('[CALL-4] a read under way rejects at once and is cancelled', async () => {
    const { get, calls } = linked();
    const controller = new AbortController();
    const read = get('a', { signal: controller.signal });
    await settled();
    controller.abort();
    expect(facts(await refusal(read))).toEqual({ code: 'call/aborted', collection: 'tasks', call: 'get' });
    await settled();
    expect(calls().map(([type, id]) => [type, id])).toEqual([
      ['get', 1],
      ['cancel', 1],
    ]);
  });

  test('[CALL-4] a write under way has the outcome that the engine tells', async () => {
    const { put, reply } = linked();
    const controller = new AbortController();
    const stored = put({ id: 'a' }, { signal: controller.signal });
    const stopped = refusal(put({ id: 'b' }, { signal: controller.signal }));
    await settled();
    controller.abort();
    const wire = { code: 'call/aborted', message: 'Aborted.', details: {}, hint: undefined, cause: undefined } as const;
    await reply([1, OK, undefined], [2, ERROR, wire]);
    expect(await stored).toEqual({ id: 'a' });
    expect((await stopped).code).toBe('call/aborted');
  });

  test('[T6] an aborted write that nobody answers times out soon', async () => {
    const { put, platform } = linked();
    const controller = new AbortController();
    const write = refusal(put({ id: 'a' }, { signal: controller.signal, timeoutMs: Number.POSITIVE_INFINITY }));
    await settled();
    controller.abort();
    platform.advance(5_000);
    expect((await write).code).toBe('call/timeout');
  });
});
