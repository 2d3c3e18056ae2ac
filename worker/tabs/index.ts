export { holdStoreLock, LOCK_TIMEOUT_MS, type StoreLockOptions } from './store-lock.ts';
