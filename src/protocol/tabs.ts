/**
 * What tabs of one store say to each other over BroadcastChannels. One channel is common to all tabs of the store: there a
 * follower looks for the leader, and a new leader says that it is there. Each follower has a channel of its own, on
 * which it talks with the leader; others do not pay for what is said there.
 *
 * A channel loses what is said while nobody listens. So whatever matters is repeated until it is answered: a `hello`
 * until it is welcomed, a `data` until it is acknowledged by its number.
 */
import type { StoreErrorWire } from '../base/store-error.ts';
import type { StoreStatus } from './store-status.ts';

/** Raised when tabs of two builds would not understand each other. */
export const TABS_PROTOCOL = 1;

/** A tab that has the store open. */
export type TabInfo = {
  /** Random, and another one each time that a tab comes back from the back/forward cache. */
  readonly id: string;
  /** It has the engine; the others go through it. */
  readonly isLeader: boolean;
  /** It is the tab that asks. */
  readonly isOwn: boolean;
  /** Of the package that it runs. */
  readonly version: string;
};

/** Which application a tab runs. */
export type TabBuild = {
  readonly protocol: number;
  /** Digest of what the tab's application has defined: only equal ones can share an engine. */
  readonly definitions: string;
  /** Of each collection, by its name. */
  readonly versions: Readonly<Record<string, number>>;
};

export type CommonMessage =
  /**
   * A tab looks for the leader. `isOpening`: for the first time. Then tabs that cannot share with it end what they have of
   * the store, unless theirs is the newer build (T8). `version` is the package's.
   */
  | ({ readonly type: 'hello'; readonly tab: string; readonly isOpening: boolean; readonly version: string } & TabBuild)
  /** A tab is about to delete the store: all others end. Said again until it has the lock. */
  | { readonly type: 'destroy'; readonly tab: string }
  /** There is a new leader. */
  | { readonly type: 'leader'; readonly leader: string }
  /** The leader lives: every BEAT_MS, from the moment it has the lock. */
  | { readonly type: 'beat'; readonly leader: string }
  /** A tab hears itself, by another channel object: its channels work. */
  | { readonly type: 'echo'; readonly tab: string };

export type FollowerMessage =
  /** Of a leader: from now on, `data` with its name counts, unless there is one with a greater epoch. */
  | { readonly type: 'welcome'; readonly leader: string; readonly epoch: number; readonly status: StoreStatus }
  | { readonly type: 'refused'; readonly leader: string; readonly error: StoreErrorWire }
  /**
   * `from` is the sender's side. Each side numbers what it sends in a session from 1; `taken` is the number of the
   * last message that the sender has taken from the other, in their order. Without a message, only that is told.
   */
  | {
      readonly type: 'data';
      readonly leader: string;
      readonly from: 'leader' | 'follower';
      readonly number: number;
      readonly taken: number;
      readonly message: unknown;
    }
  | { readonly type: 'taken'; readonly leader: string; readonly from: 'leader' | 'follower'; readonly taken: number };

/** What a follower sends as data: a message of its page, and below which number it will not repeat calls of the page. */
export type FollowerData = { readonly page: unknown; readonly done: number };
