/**
 * What a follower's page has of its live queries. Another leader tells them from their beginning; the page is told
 * only how that differs from what it has, so that rows that did not change keep their identity.
 */
import { decodeRows, encodeRows } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { CHANGE, DROP, KEEP, type Script } from '../../src/protocol/live.ts';
import {
  CLONED_ROWS_MAX,
  LIVE,
  LIVE_WINDOW,
  type LiveReply,
  type Reply,
  type ServerMessage,
} from '../../src/protocol/messages.ts';
import { outputDifference } from '../live/index.ts';

type Mirrored = {
  /** As the page has them. */
  rows: readonly Row[];
  /** Rows of a step that is not complete. */
  taken: Row[];
  /** Another leader has begun, and its first step is not complete. */
  isNew: boolean;
  /** The page has rows of a step of which it will not be told the rest. */
  isCut: boolean;
};

export class LiveMirror {
  /** The field that tells rows of a query apart. */
  readonly #keyOf: (call: number) => string;
  readonly #byId: Map<number, Mirrored> = new Map();
  #news = 0;

  constructor(keyOf: (call: number) => string) {
    this.#keyOf = keyOf;
  }

  /** Whether some query has not been told by the present leader. */
  get isWaiting(): boolean {
    return this.#news > 0;
  }

  /** What an engine of this tab has told, which leads no more. Queries of which it has told nothing stay as they were. */
  seed(rowsById: ReadonlyMap<number, readonly Row[]>): void {
    for (const [id, rows] of rowsById) this.#byId.set(id, { rows, taken: [], isNew: false, isCut: false });
  }

  /** An engine of this tab has told all of them, and knows what the page has. */
  clear(): void {
    this.#byId.clear();
  }

  /** Another leader begins. `calls` are the queries that go on. */
  begin(calls: ReadonlySet<number>): void {
    this.#news = 0;
    for (const [id, mirrored] of this.#byId) {
      if (!calls.has(id)) this.#byId.delete(id);
      else {
        // What of a first step was taken, the page does not have.
        if (!mirrored.isNew && mirrored.taken.length > 0) mirrored.isCut = true;
        mirrored.isNew = true;
        mirrored.taken = [];
        this.#news++;
      }
    }
  }

  /** Takes what a leader says; answers what the page is to be told, one message for one. */
  take(message: ServerMessage): ServerMessage {
    return message.map((reply) => (reply[1] === LIVE ? this.#takeLive(reply) : reply));
  }

  #takeLive(reply: Extract<Reply, readonly [typeof LIVE_WINDOW, typeof LIVE, ...unknown[]]>): Reply {
    const [, , batch, updates] = reply;
    const rows = batch instanceof Uint8Array ? decodeRows(batch) : batch;
    const all: Row[] = [...rows];
    let isAltered = false;
    const told: LiveReply[] = [];
    for (const update of updates) {
      const [id, places] = update;
      const mirrored = typeof places === 'number' ? undefined : this.#mustHave(id);
      if (mirrored === undefined) {
        told.push(update);
        continue;
      }
      for (const place of places as readonly number[]) mirrored.taken.push(rows[place]!);
      const script = update[2] as Script | undefined;
      if (!mirrored.isNew) told.push(update);
      else isAltered = true;
      if (script === undefined) continue;
      const before = mirrored.rows;
      mirrored.rows = applyScript(mirrored.isNew ? [] : before, script, mirrored.taken);
      mirrored.taken = [];
      if (!mirrored.isNew) continue;
      mirrored.isNew = false;
      this.#news--;
      if (mirrored.isCut) told.push([id, []]);
      mirrored.isCut = false;
      const difference = outputDifference(before, mirrored.rows, this.#keyOf(id));
      if (difference === undefined) {
        mirrored.rows = before;
        continue;
      }
      mirrored.rows = applyScript(before, difference.script, difference.rows);
      told.push([id, difference.rows.map((row) => all.push(row) - 1), difference.script]);
    }
    if (!isAltered) return reply;
    return [LIVE_WINDOW, LIVE, all.length <= CLONED_ROWS_MAX ? all : encodeRows(all), told];
  }

  #mustHave(id: number): Mirrored {
    let mirrored = this.#byId.get(id);
    if (mirrored === undefined) {
      mirrored = { rows: [], taken: [], isNew: false, isCut: false };
      this.#byId.set(id, mirrored);
    }
    return mirrored;
  }
}

function applyScript(before: readonly Row[], script: Script, taken: readonly Row[]): readonly Row[] {
  const rows: Row[] = [];
  let from = 0;
  let used = 0;
  for (const [index, count] of script.entries()) {
    const step = index % 4;
    if (step === DROP) from += count;
    for (let left = step === DROP ? 0 : count; left > 0; left--) {
      rows.push(step === KEEP ? before[from]! : taken[used++]!);
      if (step === KEEP || step === CHANGE) from++;
    }
  }
  while (from < before.length) rows.push(before[from++]!);
  return rows;
}
