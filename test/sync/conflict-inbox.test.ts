/**
 * Goal: the inbox of conflicts is the same for all tabs, survives a restart, and what is done about an entry is done once, with
 * its removal; an application's functions decide what they are asked, or the inbox says why not. Method: real engines and
 * a real relay; pages are links to the engine with the client's own inbox on them.
 */
import type { Observable } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPlatform } from '../../src/base/platform.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { answerConflict, type Conflict, openInbox } from '../../src/client/conflicts.ts';
import { Link } from '../../src/client/link.ts';
import { newsOf } from '../../src/client/subscription.ts';
import { type ConflictSpec, conflictNames } from '../../src/protocol/conflict-options.ts';
import type { FieldTypes } from '../../src/protocol/field-types.ts';
import { PENDING_NEWS, type PendingNews } from '../../src/protocol/sync-worker.ts';
import { PortServer } from '../../worker/engine/port-server.ts';
import { PageQuestions } from '../../worker/sync/page-questions.ts';
import { refusal } from '../client/client-fixture.ts';
import { createManualPlatform } from '../fakes/manual-platform.ts';
import { type RunningFixture, startRelay } from '../server/relay-fixture.ts';
import { SyncDevice, until } from './sync-device.ts';

let relay: RunningFixture;
const closers: (() => unknown)[] = [];
const end = async (): Promise<void> => {
  for (const close of closers.splice(0).toReversed()) await close();
  await relay.stop();
};
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(end);
/** Anew, with nothing in it. */
const begin = async (): Promise<void> => {
  await end();
  relay = await startRelay();
};

type Definition = { readonly conflict: unknown; readonly schema?: unknown; readonly fields?: FieldTypes };

async function open(definition: Definition): Promise<SyncDevice> {
  const { fields = {}, conflict } = definition;
  const device = await SyncDevice.open({
    url: relay.url,
    collections: [{ name: 'tasks', key: 'id', fields, conflict: conflictNames(conflict) as ConflictSpec }],
    askPage: async (questions) => questions.map((question) => answerConflict({ tasks: definition }, question)),
  });
  closers.push(() => device.close());
  return device;
}

type Page = { readonly all: Conflict[][]; readonly link: Link; now(): readonly Conflict[] };

/** A tab that looks at the inbox. */
function openPage(device: SyncDevice, definition: Definition): Page {
  const { port1, port2 } = new MessageChannel();
  const server = new PortServer(device.engine, port2 as never, {});
  const link = new Link(port1, createPlatform(), () => {});
  const news = newsOf<PendingNews>({ link, name: PENDING_NEWS, key: '' });
  const conflicts$: Observable<readonly Conflict[]> = openInbox({
    news,
    request: (call, request) => link.request(call, request),
    definitions: { tasks: definition },
    platform: createPlatform(),
    ErrorOfStore: StoreError,
  });
  const all: Conflict[][] = [];
  const watching = conflicts$.subscribe((conflicts) => all.push([...conflicts]));
  closers.push(() => {
    watching.unsubscribe();
    server.stop();
    link.close(new StoreError('store/closed', 'The test has ended it.'));
  });
  return { all, link, now: () => all.at(-1) ?? [] };
}

const START = { id: 'a', f: 0, g: 0 };

/** Two devices that have both changed a row; the second one has met the conflict. */
async function conflicting(
  definition: Definition,
  server: Row | null = { ...START, f: 'server' },
  client: Row | null = { ...START, f: 'client' },
): Promise<{ readonly one: SyncDevice; readonly two: SyncDevice; readonly page: Page }> {
  const [one, two] = [await open(definition), await open(definition)];
  await one.put(START);
  await until(async () => (await two.row('a')) !== undefined, 'the row');
  two.killSync();
  await two.write(['tasks', 'a', client ?? undefined]);
  await one.write(['tasks', 'a', server ?? undefined]);
  await one.saved();
  await two.startSync();
  await same(one, two);
  return { one, two, page: openPage(two, definition) };
}

async function same(one: SyncDevice, two: SyncDevice): Promise<void> {
  for (let times = 0; times < 2; times++) {
    await until(
      async () =>
        (await one.unsaved()) + (await two.unsaved()) === 0 &&
        JSON.stringify(await one.rows()) === JSON.stringify(await two.rows()),
      `the same rows: ${JSON.stringify([await one.rows(), await two.rows()])}`,
      () => [...one.failures, ...two.failures][0],
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

describe('[CONF-6] [CONF-7] manual', () => {
  test('both are kept until the application decides; every device shows the same meanwhile', async () => {
    const { one, two, page } = await conflicting({ conflict: 'manual' });
    const shown = await one.row('a');
    expect(await two.row('a')).toEqual(shown);
    const other = openPage(two, { conflict: 'manual' });
    for (const tab of [page, other]) await until(() => tab.now().length === 1, 'the entry');
    const [entry] = page.now();
    expect(entry).toMatchObject({
      ...{ collection: 'tasks', key: 'a', kind: 'manual', fields: ['f'], base: START },
      local: { ...START, f: 'client' },
      remote: { ...START, f: 'server' },
    });
    expect(Math.abs(entry!.at.getTime() - Date.now())).toBeLessThan(60_000);
    // The row stays usable, and the entry with it.
    await two.change('a', (row) => ({ ...row, g: 1 }));
    await same(one, two);
    await other.now()[0]!.resolve({ ...START, f: 'both', g: 1 });
    for (const tab of [page, other]) await until(() => tab.now().length === 0, 'the end of the entry');
    await same(one, two);
    expect(await one.rows()).toEqual([{ ...START, f: 'both', g: 1 }]);
    expect(await refusal(entry!.resolve(START))).toMatchObject({ code: 'conflict/gone' });
    expect(await one.rows()).toEqual([{ ...START, f: 'both', g: 1 }]);
  });

  test('it survives a restart, and may be resolved by deleting', async () => {
    const definition = { conflict: { f: 'manual' } };
    const { one, two, page } = await conflicting(definition);
    await until(() => page.now().length === 1, 'the entry');
    for (const close of closers.splice(2)) close();
    await two.crash();
    await two.startSync();
    const after = openPage(two, definition);
    await until(() => after.now().length === 1, 'the entry after the restart');
    expect(await refusal(after.now()[0]!.undo())).toMatchObject({ code: 'conflict/nothing-dropped' });
    await after.now()[0]!.resolve(undefined);
    await same(one, two);
    expect(await one.rows()).toEqual([]);
  });

  test('a document that cannot be stored resolves nothing: another key, a field that does not fit', async () => {
    const definition = { conflict: { f: 'manual' }, fields: { n: 'counter' } } as const;
    const { two, page } = await conflicting(definition);
    await until(() => page.now().length === 1, 'the entry');
    const [entry] = page.now();
    expect(await refusal(entry!.resolve({ ...START, id: 'b' }))).toMatchObject({ code: 'conflict/other-key' });
    const before = await two.rows();
    expect(await refusal(entry!.resolve({ ...START, n: 'x' }))).toMatchObject({ code: 'collection/unfit-value' });
    expect(await two.rows()).toEqual(before);
    expect(await two.hidden('conflicts')).toHaveLength(1);
  });
});

describe('[CONF-7] undo', () => {
  test('puts back what was dropped, and nothing else', async () => {
    const { one, two, page } = await conflicting({ conflict: 'server-wins' });
    expect(await two.row('a')).toEqual({ ...START, f: 'server' });
    await two.change('a', (row) => ({ ...row, h: 'since' }));
    await until(() => page.now().length === 1, 'the entry');
    await page.now()[0]!.undo();
    await until(() => page.now().length === 0, 'the end of the entry');
    await same(one, two);
    expect(await one.rows()).toEqual([{ ...START, f: 'client', h: 'since' }]);
  });

  test('a removal that was dropped, a document that was deleted, a delete that was dropped', async () => {
    const { g: _, ...without } = START;
    const removed = await conflicting({ conflict: { g: 'server-wins' } }, { ...START, g: 5 }, without);
    await until(() => removed.page.now().length === 1, 'the entry');
    await removed.page.now()[0]!.undo();
    await same(removed.one, removed.two);
    expect(await removed.one.rows()).toEqual([without]);

    await begin();
    const deleted = await conflicting({ conflict: 'merge' }, null);
    await until(() => deleted.page.now().length === 1, 'the entry');
    await deleted.page.now()[0]!.undo();
    await same(deleted.one, deleted.two);
    expect(await deleted.one.rows()).toEqual([{ ...START, f: 'client' }]);

    await begin();
    const kept = await conflicting({ conflict: 'client-wins' }, null);
    expect(await kept.one.rows()).toEqual([{ ...START, f: 'client' }]);
    await until(() => kept.page.now().length === 1, 'the entry');
    await kept.page.now()[0]!.undo();
    await same(kept.one, kept.two);
    expect(await kept.one.rows()).toEqual([]);
  });

  test('of a document that was deleted since, it says so and keeps the entry', async () => {
    const { two, page } = await conflicting({ conflict: 'server-wins' });
    await until(() => page.now().length === 1, 'the entry');
    await two.write(['tasks', 'a', undefined]);
    expect(await refusal(page.now()[0]!.undo())).toMatchObject({ code: 'conflict/no-document' });
    expect(await two.hidden('conflicts')).toHaveLength(1);
  });
});

describe('[CONF-5] functions', () => {
  const longer = (_base: unknown, local: unknown, remote: unknown): unknown =>
    `${local}`.length >= `${remote}`.length ? local : remote;

  test('decide a field, on one device', async () => {
    let asked = 0;
    const f = (base: unknown, local: unknown, remote: unknown): unknown => {
      asked += 1;
      return `${base} ${local} ${remote}`;
    };
    const { one, two, page } = await conflicting({ conflict: { f } });
    expect(await one.rows()).toEqual([{ ...START, f: '0 client server' }]);
    expect(asked).toBe(2);
    expect(await two.hidden('conflicts')).toEqual([]);
    expect(page.now()).toEqual([]);
  });

  test('that take one side drop the other', async () => {
    const { page } = await conflicting(
      { conflict: { f: longer } },
      { ...START, f: 'short' },
      { ...START, f: 'longest' },
    );
    await until(() => page.now().length === 1, 'the entry');
    expect(page.now()[0]).toMatchObject({ kind: 'merged', fields: ['f'] });
    expect(page.now()[0]!.reason).toBeUndefined();
  });

  test('decide a document, or that there is none; fields with a type merge all the same', async () => {
    type Task = Row | undefined;
    const conflict = (base: Task, local: Task, remote: Task): Task =>
      local === undefined || remote === undefined ? undefined : { ...base, ...remote, ...local, n: -1, by: 'function' };
    const definition = { conflict, fields: { n: 'counter' } } as const;
    const both = await conflicting(definition, { ...START, g: 1, n: 2 }, { ...START, f: 1, n: 5 });
    expect(await both.one.rows()).toEqual([{ ...START, f: 1, g: 0, n: 7, by: 'function' }]);
    await begin();
    const deleted = await conflicting(definition, { ...START, g: 1 }, null);
    expect(await deleted.one.rows()).toEqual([]);
  });

  test.each([
    [
      'conflict/function-failed',
      () => {
        throw new Error('no idea');
      },
    ],
    ['conflict/function-failed', (_: unknown, local: unknown[]) => local.push(1)],
    ['conflict/unfit-answer', () => () => 1],
    ['conflict/not-deterministic', counting()],
    ['conflict/unfit-answer', async () => 1],
    ['conflict/unfit-answer', () => new Map()],
    ['conflict/unfit-answer', () => '\ud800'],
  ] as const)('%s: merged, and the inbox says why', async (code, f) => {
    const { one, page } = await conflicting(
      { conflict: { f } },
      { ...START, f: ['server'] },
      { ...START, f: ['client'] },
    );
    await until(() => page.now().length === 1, 'the entry');
    const { f: now } = (await one.row('a')) as { readonly f: string[] };
    expect(page.now()[0]).toMatchObject({ kind: 'merged', fields: ['f'], reason: { code } });
    expect([['server'], ['client']]).toContainEqual(now);
  });

  test.each([
    ['a document with another key', () => ({ id: 'b' })],
    ['what is none', () => 5],
    ['a value that does not fit its field', () => ({ ...START, n: 'x' })],
  ])('%s is no answer', async (_name, conflict) => {
    const { page } = await conflicting({ conflict, fields: { n: 'counter' } });
    await until(() => page.now().length === 1, 'the entry');
    expect(page.now()[0]).toMatchObject({ kind: 'merged', reason: { code: 'conflict/unfit-answer' } });
  });

  test('[T6] a page that does not answer is not waited for longer than 5 s', async () => {
    const platform = createManualPlatform();
    const sent: number[] = [];
    const questions = new PageQuestions(platform, (id) => sent.push(id));
    const question = { collection: 'tasks', key: 'a', field: 'f', base: 1, local: 2, remote: 3 };
    const [late, inTime] = [questions.ask([question, question]), questions.ask([question])];
    questions.answered(2, [{ value: 7 }]);
    expect(await inTime).toEqual([{ value: 7 }]);
    platform.advance(5_000);
    expect(await late).toMatchObject([
      { reason: { code: 'conflict/timeout' } },
      { reason: { code: 'conflict/timeout' } },
    ]);
    questions.answered(1, []);
    expect(sent).toEqual([1, 2]);
  });
});

function counting(): () => number {
  let count = 0;
  return () => ++count;
}
