/** What a store that tabs share is opened with, and what its tabs are told when they cannot share it. */
import { StoreError } from '../../src/base/store-error.ts';
import type { EngineApi, EngineOptions } from '../../src/protocol/engine-api.ts';
import type { OpenTabChannel } from '../tabs/index.ts';
import type { StoreHold } from './open-engine.ts';

export type SharedStoreOptions = {
  readonly options: EngineOptions;
  readonly port: MessagePort;
  /** Random: no two tabs have the same. */
  readonly tab: string;
  readonly locks: LockManager;
  readonly openChannel: OpenTabChannel;
  readonly now: () => number;
  readonly setTimer: (run: () => void, ms: number) => () => void;
  readonly openEngine: (held: {
    readonly holding: Promise<StoreHold>;
    readonly isLeased: () => boolean;
  }) => Promise<EngineApi>;
};

/** One time of leading: a tab may lead more than once. */
export const leaderName = (tab: string, term: number): string => `${tab}.${term}`;
export const tabOf = (leader: string): string => leader.slice(0, leader.lastIndexOf('.'));

export const isOutdated = (name: string): StoreError =>
  new StoreError(
    'store/outdated',
    `A tab with another build of the application has the store ${JSON.stringify(name)}.`,
    {
      details: { name },
      hint: 'Reload this page: it then runs the newest build. What was answered is stored.',
    },
  );

export const isDestroyed = (name: string): StoreError =>
  new StoreError('store/destroyed', `Another tab has destroyed the store ${JSON.stringify(name)}.`, {
    details: { name },
    hint: 'Open it again: it will be empty.',
  });

export const isHeld = (name: string): StoreError =>
  new StoreError('store/in-use', 'Another tab has the store and keeps it: it was closed here, and not destroyed.', {
    details: { name },
    hint: 'Close it in the other tabs, open it again and destroy it then.',
  });

export const isSilent = (name: string): StoreError =>
  new StoreError('store/in-use', `Another tab has the store ${JSON.stringify(name)} open and does not answer.`, {
    details: { name, reason: 'silent' },
    hint: 'Close or reload the other tabs of this site, then open the store again.',
  });

export const lockStolen = (): StoreError =>
  new StoreError('tabs/lock-stolen', 'Another tab has taken the store over: this one did not answer.', {
    hint: 'Open the store again.',
  });
