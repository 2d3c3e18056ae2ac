/**
 * Goal: rows, keys, selectors, changes and stores have exact types, and misuse does not compile. Method: this file is
 * checked by the compiler with all others; each line below a ts-expect-error must be an error.
 */
import type { Observable } from 'rxjs';
import type { Doc } from 'yjs';
import {
  type Change,
  type Collection,
  type Delta,
  defineCollection,
  type KeyOf,
  type Migration,
  openStore,
  type Path,
  type Query,
  type RowOf,
  type StandardSchema,
  type StoreSync,
  type ValueAt,
} from '../../src/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const assertType = <_T extends true>(): void => {};

type Task = {
  id: string;
  title: string;
  rank: number;
  dueAt?: Date;
  tags: string[];
  address: { city: string; geo: { lat: number } };
  steps: { name: string; done: boolean }[];
};
type City = { code: number; name: string };

const tasks = defineCollection<Task>({
  key: 'id',
  indexes: ['rank', ['address.city', 'dueAt'], { on: 'tags', multi: true }],
});
const cities = defineCollection<City>()({ key: 'code', indexes: [{ on: 'name', where: { code: { $gt: 5 } } }] });
declare const zodLike: StandardSchema<
  { id?: string; title: string; rank?: number },
  { id: string; title: string; rank: number }
>;
const notes = defineCollection({ schema: zodLike, indexes: ['rank'] });
const anything = defineCollection({ indexes: ['whatever.you.like'] });
defineCollection<City>({
  version: 3,
  // A row of an older version has no type.
  migrations: { 2: (row) => ({ ...row, name: String(row['title']) }), 3: async (row) => row },
});
// @ts-expect-error: a migration gives a document.
defineCollection<City>({ version: 2, migrations: { 2: () => 5 } });
// @ts-expect-error: migrations go by version.
defineCollection<City>({ version: 2, migrations: { two: (row: object) => row } });
// @ts-expect-error: fields of an older version are unknown.
defineCollection<City>({ version: 2, migrations: { 2: (row) => ({ ...row, code: row['code'] + 1 }) } });
defineCollection<City>({ conflict: 'last-write-wins' });
defineCollection<City>({
  conflict: (base, local, remote) => (local && remote ? { ...local, name: remote.name } : base),
});
defineCollection<City>({ conflict: { name: (_base, local = '', remote = '') => local + remote } });
// @ts-expect-error: no such strategy.
defineCollection<City>({ conflict: 'newest' });
// @ts-expect-error: no such field.
defineCollection<City>({ conflict: { title: 'manual' } });
// @ts-expect-error: a name is a string.
defineCollection<City>({ conflict: { name: () => 5 } });

assertType<Equal<RowOf<typeof tasks>, Task>>();
assertType<Equal<KeyOf<City, 'code'>, number>>();
assertType<
  Equal<Path<{ a: number; b: { c: string; d: Date }; e: { f: boolean }[] }>, 'a' | 'b' | 'b.c' | 'b.d' | 'e' | 'e.f'>
>();
assertType<Equal<ValueAt<Task, 'address.geo.lat'>, number>>();

async function uses(): Promise<void> {
  const store = await openStore({ name: 'x', collections: { tasks, cities, notes, anything } });

  assertType<Equal<typeof store.migrations$, Observable<readonly Migration[]>>>();
  assertType<Equal<typeof store.tasks extends Collection<Task, infer _I, string> ? true : false, true>>();
  assertType<Equal<Awaited<ReturnType<typeof store.tasks.get>>, Task | undefined>>();
  assertType<Equal<Parameters<typeof store.cities.get>[0], number>>();
  assertType<Equal<Awaited<ReturnType<typeof store.cities.createMany>>, number[]>>();
  assertType<Equal<ReturnType<typeof store.tasks.find>, Query<Task>>>();
  assertType<Equal<Awaited<ReturnType<typeof store.tasks.find>>, Task[]>>();
  assertType<Equal<typeof store.tasks.changes$, Observable<Change<Task, string>>>>();
  assertType<Equal<Awaited<ReturnType<typeof store.notes.create>>, { id: string; title: string; rank: number }>>();

  const task = { title: 'a', rank: 1, tags: [], address: { city: 'Ulm', geo: { lat: 1 } }, steps: [] };
  await store.tasks.create(task);
  await store.tasks.create({ ...task, id: 'a' });
  await store.notes.create({ title: 'b' });
  await store.anything.create({ a: 1, b: [new Date()] });
  await store.collection('cities').put({ code: 5, name: 'Ulm' });
  // @ts-expect-error a field is missing
  await store.tasks.create({ title: 'a' });
  // @ts-expect-error a field has the wrong type
  await store.tasks.create({ ...task, rank: 'high' });
  // @ts-expect-error the key has the wrong type
  await store.tasks.get(5);
  // @ts-expect-error no such collection
  store.projects;
  // @ts-expect-error no such collection
  store.collection('projects');

  await store.tasks.find({ rank: 5, 'address.city': { $in: ['Ulm', 'Bonn'] }, tags: 'red', 'steps.done': true });
  await store.tasks.find(
    { dueAt: { $gte: new Date(), $lt: new Date() } },
    { sort: { rank: 1, 'address.city': -1 }, limit: 5 },
  );
  await store.tasks.find({}, { sort: [['rank', 1]], skip: 2, signal: AbortSignal.timeout(5), timeoutMs: 5 });
  await store.anything.find({ 'a.b': { $gt: 1 } });
  const page = await store.tasks
    .find({ rank: 1 }, { sort: { dueAt: -1 }, project: { title: 1, 'address.city': 1, id: 0 }, scanRowsMax: 100 })
    .page(20);
  assertType<Equal<typeof page.next, string | undefined>>();
  assertType<Equal<typeof page.rows, readonly Task[]>>();
  await store.tasks.find({}, { after: page.next });
  await store.tasks.find({}, { after: page.rows[0] });
  await store.anything.find({}, { project: { 'a.b': 0 }, after: { id: 'x' } });
  // @ts-expect-error no such path
  await store.tasks.find({}, { project: { colour: 1 } });
  // @ts-expect-error a path is in or out
  await store.tasks.find({}, { project: { title: 'yes' } });
  // @ts-expect-error a cursor is a text or a row
  await store.tasks.find({}, { after: 5 });
  await store.tasks.find({
    $or: [{ title: /^a/ }, { $and: [{ rank: { $not: { $mod: [2, 0] } } }, { dueAt: { $exists: false } }] }],
    tags: { $all: ['a', /b/], $size: 2 },
    steps: { $elemMatch: { name: { $regex: 'x', $options: 'i' }, done: true } },
    'steps.0.done': false,
    rank: { $type: 'int', $nin: [1, null], $ne: 5 },
  });
  await store.tasks.find({ tags: { $elemMatch: { $gt: 'a', $lt: 'b' } }, title: { $in: ['a', /b/] } });
  await store.anything.find({ $nor: [{ a: { $size: 1 } }, { 'b.c': { $regex: 'x' } }], d: { $elemMatch: { e: 1 } } });
  // @ts-expect-error only strings match patterns
  await store.tasks.find({ rank: /a/ });
  // @ts-expect-error only strings match patterns
  await store.tasks.find({ rank: { $regex: 'a' } });
  // @ts-expect-error only numbers have a remainder
  await store.tasks.find({ title: { $mod: [2, 0] } });
  // @ts-expect-error only arrays have a size
  await store.tasks.find({ title: { $size: 2 } });
  // @ts-expect-error only arrays have elements
  await store.tasks.find({ rank: { $elemMatch: { $gt: 1 } } });
  // @ts-expect-error the element has no such field
  await store.tasks.find({ steps: { $elemMatch: { colour: 'red' } } });
  // @ts-expect-error no such path in a branch
  await store.tasks.find({ $or: [{ colour: 'red' }] });
  // @ts-expect-error no such type
  await store.tasks.find({ rank: { $type: 'objectId' } });
  const totals = store.tasks.aggregate<{ _id: string; total: number }>([
    { $match: { rank: { $gt: 1 } } },
    { $unwind: '$tags' },
    { $group: { _id: '$tags', total: { $sum: '$rank' } } },
    { $project: { _id: 0, total: 1 } },
    { $lookup: { from: 'cities', localField: '_id', foreignField: 'name', as: 'city' } },
    { $sort: { total: -1 } },
    { $limit: 5 },
  ]);
  assertType<Equal<Awaited<typeof totals>, { _id: string; total: number }[]>>();
  assertType<Equal<Awaited<ReturnType<typeof totals.first>>, { _id: string; total: number } | undefined>>();
  const withCity = store.tasks.find(
    { rank: { $gt: 1 } },
    {
      include: {
        city: { from: 'cities', on: ['address.city', 'name'], one: true },
        peers: {
          from: 'tasks',
          on: ['tags', 'tags'],
          where: { rank: 1 },
          sort: { rank: -1 },
          limit: 3,
          include: { notes: { from: 'notes', on: ['id', 'id'] } },
        },
      },
    },
  );
  type WithCity = Awaited<typeof withCity>[number];
  assertType<Equal<WithCity['city'], City | null>>();
  assertType<Equal<WithCity['peers'][number]['notes'][number]['rank'], number>>();
  assertType<Equal<WithCity['peers'][number]['title'], string>>();
  assertType<Equal<WithCity['title'], string>>();
  await store.anything.find({}, { include: { city: { from: 'cities', on: ['what.ever', 'code'] } } });
  // @ts-expect-error no such collection
  await store.tasks.find({}, { include: { city: { from: 'towns', on: ['address.city', 'name'] } } });
  // @ts-expect-error no such path here
  await store.tasks.find({}, { include: { city: { from: 'cities', on: ['city', 'name'] } } });
  // @ts-expect-error no such path there
  await store.tasks.find({}, { include: { city: { from: 'cities', on: ['address.city', 'title'] } } });
  // @ts-expect-error the operand has the wrong type
  await store.tasks.find({}, { include: { city: { from: 'cities', on: ['title', 'name'], where: { code: 'x' } } } });
  // @ts-expect-error no such stage
  store.tasks.aggregate([{ $grup: { _id: null } }]);
  // @ts-expect-error a group has an _id
  store.tasks.aggregate([{ $group: { total: { $sum: 1 } } }]);
  // @ts-expect-error no such direction
  store.tasks.aggregate([{ $sort: { rank: 'up' } }]);
  // @ts-expect-error no such path
  await store.tasks.find({ 'address.street': 'x' });
  // @ts-expect-error the operand has the wrong type
  await store.tasks.find({ rank: { $gt: 'x' } });
  // @ts-expect-error no such operator
  await store.tasks.find({ rank: { $near: 5 } });
  // @ts-expect-error no such direction
  await store.tasks.find({}, { sort: { rank: 'up' } });
  // @ts-expect-error no such path
  await store.tasks.find({}, { sort: { colour: 1 } });

  await store.tasks.update('a', { rank: 2, dueAt: undefined });
  await store.tasks.update('a', { $set: { 'address.city': 'Bonn' }, $inc: { rank: 1, 'address.geo.lat': 0.5 } });
  await store.tasks.update('a', {
    $push: { tags: 'x' },
    $addToSet: { tags: { $each: ['a', 'b'] } },
    $unset: { dueAt: '' },
  });
  await store.tasks.updateMany({ rank: 1 }, { $max: { rank: 5 } }, { durability: 'strict' });
  await store.anything.update('a', { $set: { 'b.c': 1 } });
  // @ts-expect-error a field has the wrong type
  await store.tasks.update('a', { rank: 'x' });
  // @ts-expect-error no such field
  await store.tasks.update('a', { colour: 'red' });
  // @ts-expect-error fields and operators do not mix
  await store.tasks.update('a', { rank: 1, $inc: { rank: 1 } });
  // @ts-expect-error only numbers are incremented
  await store.tasks.update('a', { $inc: { title: 1 } });
  // @ts-expect-error only arrays are pushed to
  await store.tasks.update('a', { $push: { title: 'x' } });
  // @ts-expect-error the element has the wrong type
  await store.tasks.update('a', { $push: { tags: 5 } });
  // @ts-expect-error no such durability
  await store.tasks.delete('a', { durability: 'eventual' });

  assertType<Equal<Awaited<ReturnType<typeof store.tasks.distinct<'tags'>>>, string[]>>();
  for await (const row of store.tasks.find().stream()) assertType<Equal<typeof row, Task>>();
  assertType<Equal<ReturnType<typeof store.tasks.find>['$'], Observable<Task[]>>>();
  assertType<Equal<ReturnType<typeof store.tasks.find>['delta$'], Observable<Delta<Task>>>>();
  assertType<Equal<ReturnType<typeof store.tasks.find>['count$'], Observable<number>>>();
  const stop = store.tasks.subscribe(({ row, key }) => {
    assertType<Equal<typeof row, Task | undefined>>();
    assertType<Equal<typeof key, string>>();
  });
  stop();
  await store.tasks.createIndex({ on: ['rank', 'title'], unique: true, where: { rank: { $gt: 1 } } });
  // @ts-expect-error no such path
  await store.tasks.createIndex('colour');
  const moved = await store.transaction(
    async (tx) => {
      assertType<Equal<Awaited<ReturnType<typeof tx.tasks.get>>, Task | undefined>>();
      await tx.lock('tasks', 'a');
      // @ts-expect-error the key is text
      await tx.lock('tasks', 5);
      // @ts-expect-error no such collection
      await tx.lock('nowhere', 'a');
      const savepoint = await tx.savepoint();
      await tx.rollbackTo(savepoint);
      // @ts-expect-error a savepoint comes from savepoint()
      await tx.rollbackTo(7);
      // @ts-expect-error indexes are of the store
      await tx.tasks.createIndex('title');
      return 7;
    },
    { durability: 'strict', retries: 3, timeoutMs: 1_000 },
  );
  assertType<Equal<typeof moved, number>>();
  // @ts-expect-error no such option
  await store.transaction(() => 1, { isolation: 'none' });
  await store.close();
}

// @ts-expect-error no such path
defineCollection<Task>({ indexes: ['colour'] });
// @ts-expect-error no such field
defineCollection<Task>()({ key: 'colour' });
// @ts-expect-error no such option
defineCollection<Task>({ indices: [] });
// @ts-expect-error the version is a number
defineCollection<Task>({ version: '2' });
async function synchronised(): Promise<void> {
  const store = await openStore({ name: 'x', collections: { tasks }, sync: { relays: [{ url: 'wss://a.example' }] } });
  assertType<Equal<typeof store.sync, StoreSync>>();
  assertType<Equal<typeof store.sync.pending$, Observable<number>>>();
  const alone = await openStore({ name: 'x', collections: { tasks } });
  // @ts-expect-error it was opened without
  await alone.sync.flush();
  const document = await store.doc('tasks', 'milk', { yjs: import('yjs') });
  assertType<Equal<typeof document.ydoc, Doc>>();
  await document.saved();
  // @ts-expect-error no such collection
  await store.doc('nothing', 'milk', { yjs: import('yjs') });
  // @ts-expect-error a key is none of these
  await store.doc('tasks', new Date(), { yjs: import('yjs') });
  // @ts-expect-error it is the application's own
  await store.doc('tasks', 'milk');
  // @ts-expect-error it was opened without
  await alone.doc('tasks', 'milk', { yjs: import('yjs') });
}
void synchronised;
defineCollection<Task>({ sync: false, fields: { title: 'text', rank: 'counter' } });
// @ts-expect-error no such field
defineCollection<Task>({ fields: { colour: 'text' } });
// @ts-expect-error no such type
defineCollection<Task>({ fields: { title: 'rich' } });
// @ts-expect-error a relay has an address
void openStore({ name: 'x', collections: {}, sync: { relays: [{}] } });
// @ts-expect-error no such home
void openStore({ name: 'x', collections: {}, storage: ['floppy'] });
// @ts-expect-error a store has a name
void openStore({ collections: {} });

void uses;
