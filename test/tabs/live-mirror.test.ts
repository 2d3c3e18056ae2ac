/**
 * Goal: whatever a leader had told of a live query when it ended, under the next one the page ends with the right rows, and
 * those that did not change are the same objects (TAB-1). Method: steps by hand, cut at each place, on a page of a few lines.
 */
import { expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import { ADD, CHANGE, DROP, KEEP } from '../../src/protocol/live.ts';
import { LIVE, LIVE_WINDOW, type LiveReply, type ServerMessage } from '../../src/protocol/messages.ts';
import { LiveMirror } from '../../worker/tabs/index.ts';

const ID = 7;

/** As src/client/live-query.ts does it. */
class Page {
  rows: readonly Row[] = [];
  #taken: Row[] = [];

  take(message: ServerMessage): void {
    for (const reply of message) {
      if (reply[1] !== LIVE) continue;
      const all = reply[2] as readonly Row[];
      for (const [, places, script] of reply[3] as readonly Exclude<LiveReply, readonly [number, number]>[]) {
        if (places.length === 0) this.#taken = [];
        for (const place of places) this.#taken.push(all[place]!);
        if (script === undefined) continue;
        const rows: Row[] = [];
        let from = 0;
        let used = 0;
        for (const [index, count] of script.entries()) {
          const step = index % 4;
          if (step === DROP) from += count;
          for (let left = step === DROP ? 0 : count; left > 0; left--) {
            rows.push(step === KEEP ? this.rows[from]! : this.#taken[used++]!);
            if (step === KEEP || step === CHANGE) from++;
          }
        }
        this.rows = [...rows, ...this.rows.slice(from)];
        this.#taken = [];
      }
    }
  }
}

/** A step from nothing, in messages of so many rows. */
function firstStep(rows: readonly Row[], size: number): ServerMessage[] {
  const messages: ServerMessage[] = [];
  for (let at = 0; at < rows.length; at += size) {
    const part = rows.slice(at, at + size);
    const places = part.map((_, place) => place);
    const isLast = at + size >= rows.length;
    const script = [0, 0, 0, 0];
    script[ADD] = rows.length;
    messages.push([[LIVE_WINDOW, LIVE, part, [isLast ? [ID, places, script] : [ID, places]]]]);
  }
  return messages;
}

const rowsOf = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, at) => ({ id: `row ${from + at}`, n: from + at }));

test.each([0, 1, 2, 3])('[TAB-1] a step of which %i of 4 messages were told goes on under another leader', (told) => {
  const page = new Page();
  const mirror = new LiveMirror(() => 'id');
  for (const message of firstStep(rowsOf(0, 8), 2).slice(0, told)) page.take(mirror.take(message));
  mirror.begin(new Set([ID]));
  // The next one ends in the middle too.
  page.take(mirror.take(firstStep(rowsOf(2, 9), 2)[0]!));
  mirror.begin(new Set([ID]));
  for (const message of firstStep(rowsOf(3, 10), 3)) page.take(mirror.take(message));
  expect(page.rows).toEqual(rowsOf(3, 10));
});

test('[TAB-1] a step after the first that was cut, and rows that stay the same objects', () => {
  const page = new Page();
  const mirror = new LiveMirror(() => 'id');
  for (const message of firstStep(rowsOf(0, 4), 4)) page.take(mirror.take(message));
  const before = page.rows;
  // Of four new rows, two are told.
  page.take(mirror.take([[LIVE_WINDOW, LIVE, rowsOf(4, 6), [[ID, [0, 1]]]]]));
  mirror.begin(new Set([ID]));
  for (const message of firstStep(rowsOf(0, 4), 4)) page.take(mirror.take(message));
  expect(page.rows).toBe(before);
  page.take(mirror.take([[LIVE_WINDOW, LIVE, [{ id: 'row 9', n: 9 }], [[ID, [0], [4, 0, 0, 1]]]]]));
  expect(page.rows).toEqual([...rowsOf(0, 4), { id: 'row 9', n: 9 }]);
  expect(page.rows[2]).toBe(before[2]);
});

test('[TAB-1] what an engine of this tab has told is where the next leader begins', () => {
  const page = new Page();
  const mirror = new LiveMirror(() => 'id');
  const own = firstStep(rowsOf(0, 4), 4);
  for (const message of own) page.take(message);
  mirror.seed(new Map([[ID, rowsOf(0, 4)]]));
  mirror.begin(new Set([ID]));
  const before = page.rows;
  for (const message of firstStep(rowsOf(1, 5), 4)) page.take(mirror.take(message));
  expect(page.rows).toEqual(rowsOf(1, 5));
  expect(page.rows[0]).toBe(before[1]);
});
