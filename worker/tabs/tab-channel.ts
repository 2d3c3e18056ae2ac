/** A BroadcastChannel, or what stands for one in tests. */
export interface TabChannel {
  /** Says something to all others on the channel; not to itself. */
  post(message: unknown): void;
  onMessage: ((message: unknown) => void) | undefined;
  close(): void;
}

export type OpenTabChannel = (name: string) => TabChannel;

/** The browser's. */
export function openBroadcastChannel(name: string): TabChannel {
  const channel = new BroadcastChannel(name);
  const tabChannel: TabChannel = {
    post: (message) => channel.postMessage(message),
    onMessage: undefined,
    close: () => channel.close(),
  };
  channel.onmessage = ({ data }) => tabChannel.onMessage?.(data);
  return tabChannel;
}

/** Whether there are such channels here. */
export const hasBroadcastChannel = (): boolean => typeof BroadcastChannel === 'function';

/** Where all tabs of a store meet. */
export const commonChannelName = (store: string): string => `collection-store/${store}`;
/** Where the leader talks with one follower. */
export const followerChannelName = (store: string, tab: string): string => `collection-store/${store}/${tab}`;
/** Held by whoever steals the store's lock, and for a while after it. */
export const stealLockName = (store: string): string => `collection-store/${store}/steal`;
/** Held by a leader until it can write nothing more, also when the store's lock was taken from it. */
export const leadingLockName = (store: string, leader: string): string => `collection-store/${store}/leading/${leader}`;
/** Held by a tab's worker as long as it lives. */
export const tabLockName = (store: string, tab: string): string => `collection-store/${store}/tab/${tab}`;
