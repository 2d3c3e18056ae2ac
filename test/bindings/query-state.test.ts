/** Goal: one live query becomes states that never disagree. Method: a source that speaks as the test says. */
import { expect, test } from 'vitest';
import type { LiveSource } from '../../src/bindings/live-source.ts';
import { observe, type QueryState } from '../../src/bindings/query-state.ts';
import { ScriptedSource } from './scripted-source.ts';

function watch<T>(source: LiveSource<T>): { readonly states: QueryState<T>[]; stop(): void } {
  const states: QueryState<T>[] = [];
  return { states, stop: observe(source, (state) => states.push(state)) };
}

test('[BIND-1] rows, then an error with the last rows', () => {
  const source = new ScriptedSource<string>();
  const { states } = watch(source);
  const rows = ['a'];
  source.tell(rows);
  source.fail('broken');
  expect(states).toEqual([
    { status: 'ready', rows: ['a'], error: undefined },
    { status: 'error', rows: ['a'], error: 'broken' },
  ]);
  expect(states[0]?.rows).toBe(rows);
});

test('[BIND-1] an end after rows changes nothing; an end before them says why', async () => {
  const after = new ScriptedSource<string>([], Promise.reject('closed'));
  const seen = watch(after);
  after.tell(['a']);
  after.end();
  const before = new ScriptedSource<string>([], Promise.reject('closed'));
  const unseen = watch(before);
  before.end();
  await Promise.resolve();
  expect(seen.states).toHaveLength(1);
  expect(unseen.states).toEqual([{ status: 'error', rows: [], error: 'closed' }]);
});

test('[BIND-2] nothing is told after the end', async () => {
  const source = new ScriptedSource<string>([], Promise.reject('closed'));
  const { states, stop } = watch(source);
  source.end();
  stop();
  await Promise.resolve();
  const other = new ScriptedSource<string>();
  const second = watch(other);
  second.stop();
  other.tell(['a']);
  expect([states, second.states, other.active]).toEqual([[], [], 0]);
});
