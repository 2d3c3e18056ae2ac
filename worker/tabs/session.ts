/**
 * One side of a conversation between a leader and a follower: messages arrive once and in their order, whatever the
 * channel loses, doubles or delays (T5). What was sent is kept until the other side has taken it.
 */
import type { FollowerMessage } from '../../src/protocol/tabs.ts';

/** How long a message may go without being taken before it is said again. */
const REPEAT_MS = 400;
/** What is taken is told with the next message, or after this time without one. */
const TAKEN_MS = 40;
/** Messages that were taken and not told, after which it is told at once: what the other side keeps is bounded. */
const TAKEN_MAX = 64;

export type SessionOptions = {
  readonly side: 'leader' | 'follower';
  readonly leader: string;
  readonly post: (message: FollowerMessage) => void;
  readonly setTimer: (run: () => void, ms: number) => () => void;
  readonly onMessage: (message: unknown) => void;
  /** Messages were repeated and still not taken: is there anybody? */
  readonly onSilence?: () => void;
};

export class Session {
  readonly #options: SessionOptions;
  readonly leader: string;
  #lastSent = 0;
  #lastTaken = 0;
  #told = 0;
  /** Sent and not known to be taken, ascending. */
  #kept: { readonly number: number; readonly message: unknown }[] = [];
  /** Came before those that they follow. */
  readonly #early: Map<number, unknown> = new Map();
  #stopRepeat: (() => void) | undefined;
  #stopTaken: (() => void) | undefined;
  #isClosed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.leader = options.leader;
  }

  send(message: unknown): void {
    if (this.#isClosed) return;
    this.#lastSent += 1;
    this.#kept.push({ number: this.#lastSent, message });
    this.#post(this.#lastSent, message);
    this.#armRepeat();
  }

  /** Takes what came over the channel from the other side. */
  receive(message: FollowerMessage): void {
    if (this.#isClosed || message.type === 'welcome' || message.type === 'refused') return;
    if (message.leader !== this.leader || message.from === this.#options.side) return;
    this.#kept = this.#kept.filter(({ number }) => number > message.taken);
    if (this.#kept.length === 0) this.#disarmRepeat();
    if (message.type === 'taken') return;
    if (message.number > this.#lastTaken) this.#early.set(message.number, message.message);
    // What was taken before is told again: the other side has not heard it.
    else this.#tellTaken();
    while (this.#early.has(this.#lastTaken + 1) && !this.#isClosed) {
      this.#lastTaken += 1;
      const next = this.#early.get(this.#lastTaken);
      this.#early.delete(this.#lastTaken);
      this.#options.onMessage(next);
    }
    if (this.#lastTaken - this.#told >= TAKEN_MAX) this.#tellTaken();
    else if (this.#lastTaken > this.#told) {
      this.#stopTaken ??= this.#options.setTimer(() => {
        this.#stopTaken = undefined;
        if (this.#lastTaken > this.#told) this.#tellTaken();
      }, TAKEN_MS);
    }
  }

  /** Says again what the other side may have missed. */
  repeat(): void {
    for (const { number, message } of this.#kept) this.#post(number, message);
  }

  close(): void {
    this.#isClosed = true;
    this.#disarmRepeat();
    this.#stopTaken?.();
    this.#kept = [];
    this.#early.clear();
  }

  #post(number: number, message: unknown): void {
    const { side, post } = this.#options;
    this.#told = this.#lastTaken;
    post({ type: 'data', leader: this.leader, from: side, number, taken: this.#lastTaken, message });
  }

  #tellTaken(): void {
    if (this.#isClosed) return;
    this.#told = this.#lastTaken;
    this.#options.post({ type: 'taken', leader: this.leader, from: this.#options.side, taken: this.#lastTaken });
  }

  #armRepeat(): void {
    this.#stopRepeat ??= this.#options.setTimer(() => {
      this.#stopRepeat = undefined;
      if (this.#kept.length === 0) return;
      this.repeat();
      this.#options.onSilence?.();
      this.#armRepeat();
    }, REPEAT_MS);
  }

  #disarmRepeat(): void {
    this.#stopRepeat?.();
    this.#stopRepeat = undefined;
  }
}
