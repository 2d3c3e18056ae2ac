/**
 * Who is here in the tabs of this device, as each tab and the sync worker know it. A tab says when it goes; one that was
 * ended without a word is missed among the tabs that have the store open. Bounded by their number.
 */
import type { Platform } from '../base/platform.ts';
import type { PresenceState } from '../protocol/presence-state.ts';

/** A tab that is not among the others for that long has gone: they are counted anew when another one leads. */
const ABSENT_MS = 2_000;
/** Of one device. More than any relay takes from it. */
const PARTICIPANTS_MAX = 256;

type Entry = { readonly tab: string; readonly state: PresenceState; absentSince: number | undefined };

export class TabParticipants {
  readonly #now: Platform['now'];
  readonly #setTimer: Platform['setTimer'];
  readonly #changed: (id: number) => void;
  readonly #byId = new Map<number, Entry>();
  #tabs: ReadonlySet<string> | undefined;
  #stopTimer: (() => void) | undefined;

  /** `changed`: somebody is here, or gone, or has another state. */
  constructor({ now, setTimer }: Pick<Platform, 'now' | 'setTimer'>, changed: (id: number) => void) {
    this.#now = now;
    this.#setTimer = setTimer;
    this.#changed = changed;
  }

  stateOf(id: number): PresenceState | undefined {
    return this.#byId.get(id)?.state;
  }

  get ids(): Iterable<number> {
    return this.#byId.keys();
  }

  take(id: number, tab: string, state: PresenceState | null): void {
    if (state === null) {
      if (this.#byId.delete(id)) this.#changed(id);
      return;
    }
    if (!this.#byId.has(id) && this.#byId.size >= PARTICIPANTS_MAX) return;
    this.#byId.set(id, { tab, state, absentSince: undefined });
    this.#look();
    this.#changed(id);
  }

  /** Those that have the store open. */
  tabs(tabs: readonly string[]): void {
    this.#tabs = new Set(tabs);
    this.#look();
  }

  stop(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  #look(): void {
    if (this.#tabs === undefined) return;
    const now = this.#now();
    let isSomebodyAbsent = false;
    for (const [id, entry] of [...this.#byId]) {
      if (this.#tabs.has(entry.tab)) {
        entry.absentSince = undefined;
        continue;
      }
      entry.absentSince ??= now;
      if (now - entry.absentSince < ABSENT_MS) isSomebodyAbsent = true;
      else {
        this.#byId.delete(id);
        this.#changed(id);
      }
    }
    if (!isSomebodyAbsent || this.#stopTimer !== undefined) return;
    this.#stopTimer = this.#setTimer(() => {
      this.#stopTimer = undefined;
      this.#look();
      // Timers may be a little early.
    }, ABSENT_MS + 50);
  }
}
