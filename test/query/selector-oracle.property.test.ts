/**
 * Goal: selectors mean what MongoDB's mean. Method: random selectors on random rows of three kinds, judged by compiled
 * predicates, by a plain interpreter and by mingo, row by row; rows on which mingo is known to differ
 * (worker/query/SELECTORS.md) are judged by the other two. What a selector says it needs must hold for rows that match.
 */
import { Query } from 'mingo';
import { expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import {
  compilePredicate,
  encodedValuesAt,
  type Interest,
  interestOf,
  parseSelector,
} from '../../worker/query/index.ts';
import { mayDeviate } from '../oracle/mingo-deviations.ts';
import { matches } from '../oracle/plain-selector.ts';
import { KINDS, RandomQuery } from './random-query.ts';

const SELECTORS = 1_500;
const ROWS = 20;

for (const kind of KINDS) {
  test(`${SELECTORS} random selectors on ${kind} rows agree with both oracles`, () => {
    const seed = 5_100 + KINDS.indexOf(kind);
    const query = new RandomQuery(seed);
    const tally = { judged: 0, byMingo: 0, matched: 0, interested: 0 };
    for (let round = 0; round < SELECTORS; round += 1) {
      const rows = query.rows(kind, ROWS);
      const selector = query.selector(kind, rows);
      const text = (row: Row): string => `seed ${seed}, round ${round}: ${show(selector)} on ${show(row)}`;
      const tree = parseSelector(selector);
      const accepts = compilePredicate(tree);
      const interests = interestOf(tree);
      const mingo = new Query(selector as never, { idKey: 'id' });
      for (const row of rows) {
        const answer = accepts(row);
        expect(answer, text(row)).toBe(matches(row, selector));
        tally.judged += 1;
        if (answer) tally.matched += 1;
        if (!mayDeviate(row, selector)) {
          tally.byMingo += 1;
          expect(answer, `mingo, ${text(row)}`).toBe(mingo.test(row as never));
        }
        for (const interest of answer ? interests : []) {
          tally.interested += 1;
          expect(isMet(interest, row), `interest in ${interest.path}, ${text(row)}`).toBe(true);
        }
      }
    }
    expect(tally.byMingo / tally.judged).toBeGreaterThan(0.5);
    expect(tally.matched).toBeGreaterThan(tally.judged / 10);
    expect(tally.interested).toBeGreaterThan(300);
  });
}

function isMet(interest: Interest, row: Row): boolean {
  return encodedValuesAt(row, interest.segments).some((code) =>
    interest.type === 'equals' ? interest.equals.includes(code) : code >= interest.low && code < interest.high,
  );
}

const show = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    each instanceof RegExp ? String(each) : typeof each === 'number' && !Number.isFinite(each) ? String(each) : each,
  );
