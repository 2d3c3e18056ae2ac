/**
 * One live answer and those who wait for it. It is `stale` until it is read, `loading` while it is read, and then
 * follows the changes; it goes back to `stale` when patching has run out of rows.
 *
 * A read sees all changes told before it (see LiveSource), so changes are passed over while it is stale, and held back
 * while it loads (LIVE-5).
 */
import type { Row } from '../../src/base/row.ts';
import type { ChangeEvent } from '../../src/protocol/engine-api.ts';
import type { LiveListener, LiveUpdate } from '../../src/protocol/live.ts';
import type { LiveResult } from './live-result.ts';

/** Changes held back during one read; when there are more, it is read once again instead. */
const HELD_CHANGES_MAX = 100_000;

export type Subscriber = {
  readonly listener: LiveListener;
  /** The state that it was given last. */
  taken: unknown;
  isTold: boolean;
};

export class Computation {
  readonly id: string;
  readonly result: LiveResult;
  readonly subscribers: Set<Subscriber> = new Set();
  readonly #wantsSettling: () => void;
  #phase: 'stale' | 'loading' | 'ready' | 'ended' = 'stale';
  /** Whether what is being read will have to be read once more. */
  #isOutdated = false;
  #held: { readonly event: ChangeEvent; readonly collection: string }[] = [];

  /** `wantsSettling` asks for a call of `settle` once all changes so far have been applied. */
  constructor(id: string, result: LiveResult, wantsSettling: () => void) {
    this.id = id;
    this.result = result;
    this.#wantsSettling = wantsSettling;
  }

  apply(event: ChangeEvent, collection: string): void {
    if (this.#phase === 'ready') this.result.apply(event, collection);
    else if (this.#phase === 'loading' && !this.#isOutdated) this.#held.push({ event, collection });
    if (this.#held.length > HELD_CHANGES_MAX) this.passOver();
  }

  /** Changes came that are not applied: what rests on all of them is read anew. */
  passOver(): void {
    this.#held = [];
    if (this.#phase === 'ready') {
      this.result.forget();
      this.#phase = 'stale';
    } else if (this.#phase === 'loading') this.#isOutdated = true;
  }

  /** Reads what must be read, takes over what was patched, and tells. Throws when reading fails at once. */
  settle(onFailure: (error: unknown) => void): void {
    if (this.#phase === 'ready' && this.result.needsLoad) this.#phase = 'stale';
    if (this.#phase === 'stale') this.#load(onFailure);
    if (this.#phase === 'ready') this.#tell();
  }

  #tell(): void {
    this.result.publish();
    for (const subscriber of this.subscribers) {
      if (subscriber.isTold || subscriber.taken === this.result.state) continue;
      subscriber.isTold = true;
      subscriber.listener.onChange();
    }
  }

  #load(onFailure: (error: unknown) => void): void {
    this.#phase = 'loading';
    const loading = this.result.load(() => this.#phase === 'loading');
    if (loading === undefined) {
      this.#phase = 'ready';
      return;
    }
    loading.then(() => this.#loaded()).catch(onFailure);
  }

  #loaded(): void {
    if (this.#phase !== 'loading') return;
    if (this.result.tellsEachLoad) this.#tell();
    const held = this.#held;
    this.#held = [];
    this.#phase = this.#isOutdated ? 'stale' : 'ready';
    this.#isOutdated = false;
    if (this.#phase === 'ready') for (const { event, collection } of held) this.result.apply(event, collection);
    else this.result.forget();
    this.#wantsSettling();
  }

  takeFor(subscriber: Subscriber): LiveUpdate | undefined {
    subscriber.isTold = false;
    if (this.#phase === 'ended') return undefined;
    const former = subscriber.taken;
    subscriber.taken = this.result.state;
    return this.result.updateFrom(former);
  }

  takenBy({ taken }: Subscriber): readonly Row[] | undefined {
    return taken === undefined ? undefined : this.result.rowsOf(taken);
  }

  end(): void {
    this.#phase = 'ended';
    this.#held = [];
    this.subscribers.clear();
  }
}
