export { buildOf, canShare, isNewer } from './build-of.ts';
export { callInterrupted, transactionInterrupted } from './interrupted.ts';
export { LEASE_MS, LeaderWatch } from './leader-watch.ts';
export { Lease } from './lease.ts';
export { LiveMirror } from './live-mirror.ts';
export { Session } from './session.ts';
export {
  awaitLock,
  holdStoreLock,
  LOCK_TIMEOUT_MS,
  type StoreLockOptions,
  stealLock,
  storeLockName,
  tryLock,
} from './store-lock.ts';
export {
  commonChannelName,
  followerChannelName,
  hasBroadcastChannel,
  leadingLockName,
  type OpenTabChannel,
  openBroadcastChannel,
  stealLockName,
  type TabChannel,
  tabLockName,
} from './tab-channel.ts';
export { Unanswered } from './unanswered.ts';
