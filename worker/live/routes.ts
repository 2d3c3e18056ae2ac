/**
 * Which queries of a collection a change can touch. Queries are filed under their interest: a change looks its own
 * values up, so queries about other values cost it nothing (LIVE-2).
 */
import type { Row } from '../../src/base/row.ts';
import { encodedValuesAt, type Interest } from '../query/index.ts';
import { IntervalIndex } from './interval-index.ts';

type PathRoutes<T> = {
  readonly segments: readonly string[];
  readonly byValue: Map<string, Set<T>>;
  readonly intervals: IntervalIndex<T>;
};

export class Routes<T> {
  /** Those that any row may matter to. */
  readonly #open = new Set<T>();
  readonly #byPath = new Map<string, PathRoutes<T>>();

  add(target: T, interest: Interest | undefined): void {
    if (interest === undefined) {
      this.#open.add(target);
      return;
    }
    const { path, segments } = interest;
    let routes = this.#byPath.get(path);
    if (routes === undefined) {
      routes = { segments, byValue: new Map(), intervals: new IntervalIndex() };
      this.#byPath.set(path, routes);
    }
    if (interest.type === 'range') routes.intervals.add(target, interest.low, interest.high);
    else {
      for (const value of interest.equals) {
        const targets = routes.byValue.get(value);
        if (targets === undefined) routes.byValue.set(value, new Set([target]));
        else targets.add(target);
      }
    }
  }

  /** With the interest that it was added with. */
  delete(target: T, interest: Interest | undefined): void {
    this.#open.delete(target);
    const routes = interest && this.#byPath.get(interest.path);
    if (routes === undefined) return;
    routes.intervals.delete(target);
    for (const value of interest?.type === 'equals' ? interest.equals : []) {
      const targets = routes.byValue.get(value);
      targets?.delete(target);
      if (targets?.size === 0) routes.byValue.delete(value);
    }
    if (routes.byValue.size + routes.intervals.size === 0) this.#byPath.delete(interest!.path);
  }

  /** Adds whom a change from `before` to `row` can touch. */
  collect(before: Row | undefined, row: Row | undefined, out: Set<T>): void {
    for (const target of this.#open) out.add(target);
    const visit = (target: T): void => void out.add(target);
    for (const { segments, byValue, intervals } of this.#byPath.values()) {
      for (const version of [before, row]) {
        if (version === undefined) continue;
        let low: string | undefined;
        let high: string | undefined;
        for (const value of encodedValuesAt(version, segments)) {
          byValue.get(value)?.forEach(visit);
          if (low === undefined || value < low) low = value;
          if (high === undefined || value > high) high = value;
        }
        if (low !== undefined && intervals.size > 0) intervals.eachMeeting(low, high!, visit);
      }
    }
  }
}
