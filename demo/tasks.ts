/** What the page stores: one collection of tasks, and the questions that the page asks of it. */
import { type CollectionDefinition, type CollectionOf, defineCollection } from 'collection-store';

export type TaskStatus = 'open' | 'done';
export type Task = {
  readonly id: string;
  readonly title: string;
  readonly status: TaskStatus;
  readonly createdAt: Date;
};
export type Filter = 'all' | TaskStatus;

export const TITLE_LENGTH_MAX = 200;

export const tasks: CollectionDefinition<Task, Task, 'id'> = defineCollection<Task>({
  schema: {
    type: 'object',
    required: ['id', 'title', 'status', 'createdAt'],
    properties: {
      id: { type: 'string' },
      title: { type: 'string', minLength: 1, maxLength: TITLE_LENGTH_MAX },
      status: { enum: ['open', 'done'] },
    },
  },
  indexes: ['createdAt', ['status', 'createdAt']],
});

export type TaskCollection = CollectionOf<typeof tasks>;

export type TaskPage = { readonly rows: readonly Task[]; readonly counts: Readonly<Record<Filter, number>> };

/** The newest tasks that pass the filter, and how many there are of each kind. Every part is answered by an index. */
export async function readPage(collection: TaskCollection, filter: Filter, limit: number): Promise<TaskPage> {
  const selector = filter === 'all' ? {} : { status: filter };
  // Asked in one go: the three calls travel to the worker as one message.
  const [rows, open, done] = await Promise.all([
    collection.find(selector, { sort: { createdAt: -1 }, limit }),
    collection.count({ status: 'open' }),
    collection.count({ status: 'done' }),
  ]);
  return { rows, counts: { all: open + done, open, done } };
}

const VERBS = ['Call', 'Write to', 'Thank', 'Visit', 'Invite', 'Ask', 'Remind', 'Pay', 'Help', 'Meet'];
const PEOPLE = ['Ada', 'Ben', 'Chen', 'Dora', 'Emil', 'Fatima', 'Goro', 'Hanna', 'Ivan', 'Jo', 'Kim'];
const TOPICS = ['the garden', 'the invoice', 'a holiday', 'the roof', 'a book', 'the bicycle', 'next week'];

/** Tasks to try the store with, each a millisecond older than the one before. Every third is done. */
export function sampleTasks(count: number, now: Date): readonly Omit<Task, 'id'>[] {
  return Array.from({ length: count }, (_, i) => ({
    title: `${VERBS[i % VERBS.length]} ${PEOPLE[i % PEOPLE.length]} about ${TOPICS[i % TOPICS.length]} (${i + 1})`,
    status: i % 3 === 2 ? 'done' : 'open',
    createdAt: new Date(now.getTime() - i),
  }));
}
