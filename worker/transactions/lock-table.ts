/**
 * Exclusive locks on keys, held by transactions and granted in the order in which they were asked for. Whoever waits is
 * in a graph: it waits for the holder, and for those before it. A request that would close a circle is refused at once,
 * or another member of the circle that can begin anew without loss is (TXN-7).
 *
 * Locks are between transactions. They protect nothing by themselves: whatever they do, a commit is checked.
 */

import type { Key } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';

export type LockName = { readonly collection: string; readonly key: Key; readonly id: string };

export type LockOwner = {
  readonly id: number;
  /** Locks that one transaction may hold. */
  readonly held: Set<string>;
};

type Waiter = {
  readonly owner: LockOwner;
  readonly name: LockName;
  /** Whether the application has asked for it. Others give way first. */
  readonly isExplicit: boolean;
  readonly grant: () => void;
  readonly refuse: (error: unknown) => void;
};

type Lock = { holder: LockOwner; readonly waiters: Waiter[] };

/** Of one transaction. */
const LOCKS_MAX = 10_000;

export class LockTable {
  readonly #locks: Map<string, Lock> = new Map();
  /** Each transaction waits for one lock at a time: its calls take their turns. */
  readonly #waiting: Map<number, Waiter> = new Map();

  get size(): number {
    return this.#locks.size;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  isHeldByAnother(owner: LockOwner, id: string): boolean {
    const lock = this.#locks.get(id);
    return lock !== undefined && lock.holder !== owner;
  }

  /** Resolves once the lock is held; rejects with `transaction/deadlock`. Undefined when it is held at once. */
  acquire(owner: LockOwner, name: LockName, isExplicit: boolean): Promise<void> | undefined {
    const lock = this.#locks.get(name.id);
    if (lock?.holder === owner) return undefined;
    if (owner.held.size >= LOCKS_MAX) throw tooManyLocks();
    if (lock === undefined) {
      this.#locks.set(name.id, { holder: owner, waiters: [] });
      owner.held.add(name.id);
      return undefined;
    }
    return new Promise((grant, refuse) => {
      const waiter: Waiter = { owner, name, isExplicit, grant, refuse };
      lock.waiters.push(waiter);
      this.#waiting.set(owner.id, waiter);
      // Refusing another member may leave a second circle.
      for (let circle = this.#circleFrom(waiter); circle !== undefined; circle = this.#circleFrom(waiter))
        this.#break(circle);
    });
  }

  /** Ends all that a transaction holds and waits for. */
  release(owner: LockOwner, why: () => unknown): void {
    const waiter = this.#waiting.get(owner.id);
    if (waiter !== undefined) this.#refuse(waiter, why());
    for (const id of owner.held) {
      const lock = this.#locks.get(id)!;
      const next = lock.waiters.shift();
      if (next === undefined) {
        this.#locks.delete(id);
        continue;
      }
      lock.holder = next.owner;
      next.owner.held.add(id);
      this.#waiting.delete(next.owner.id);
      next.grant();
    }
    owner.held.clear();
  }

  /** The waiters of a circle, each waiting for the next, the last for the first; undefined when there is none. */
  #circleFrom(first: Waiter): readonly Waiter[] | undefined {
    const seen = new Set<number>();
    const follow = (waiter: Waiter): readonly Waiter[] | undefined => {
      const { holder, waiters } = this.#locks.get(waiter.name.id)!;
      const place = waiters.indexOf(waiter);
      // Refused meanwhile.
      if (place < 0) return undefined;
      // Whoever is before the one before is waited for through that one.
      const before = waiters[place - 1]?.owner;
      for (const owner of before === undefined ? [holder] : [holder, before]) {
        if (owner === first.owner) return [waiter];
        const next = seen.has(owner.id) ? undefined : this.#waiting.get(owner.id);
        seen.add(owner.id);
        const rest = next && follow(next);
        if (rest !== undefined) return [waiter, ...rest];
      }
      return undefined;
    };
    return follow(first);
  }

  #break(circle: readonly Waiter[]): void {
    const victim = circle.find(({ isExplicit }) => !isExplicit) ?? circle[0]!;
    const at = circle.indexOf(victim);
    this.#refuse(victim, deadlock([...circle.slice(at), ...circle.slice(0, at)]));
  }

  #refuse(waiter: Waiter, error: unknown): void {
    const { waiters } = this.#locks.get(waiter.name.id)!;
    waiters.splice(waiters.indexOf(waiter), 1);
    this.#waiting.delete(waiter.owner.id);
    waiter.refuse(error);
  }
}

function deadlock(circle: readonly Waiter[]): StoreError {
  const cycle = circle.map(({ owner, name: { collection, key } }) => ({ transaction: owner.id, collection, key }));
  const steps = cycle.map(
    ({ transaction, collection, key }) => `${transaction} waits for ${collection} ${JSON.stringify(key)}`,
  );
  return new StoreError(
    'transaction/deadlock',
    `Transactions wait for each other: ${steps.join(', ')}. This one was ended, and nothing of it is stored.`,
    { details: { cycle }, hint: 'Run it again. Taking locks in one order everywhere prevents it.' },
  );
}

const tooManyLocks = (): StoreError =>
  new StoreError('transaction/too-large', `A transaction may hold ${LOCKS_MAX} locks.`, {
    details: { limit: LOCKS_MAX },
    hint: 'Lock one document that stands for all of them.',
  });
