/** What calls are told that were under way when their leader's tab was closed, and cannot be done again by themselves. */
import { StoreError } from '../../src/base/store-error.ts';

export const callInterrupted = (): StoreError =>
  new StoreError('call/interrupted', 'The tab that was answering this call was closed.', {
    hint: 'Nothing was changed. Make the call again.',
  });

export const transactionInterrupted = (): StoreError =>
  new StoreError('transaction/interrupted', 'The tab that was running this transaction was closed before its commit.', {
    hint: 'Nothing of it was stored. Run it again.',
  });

export const subscriptionInterrupted = (collection: string): StoreError =>
  new StoreError('subscription/interrupted', `The tab that told of changes of ${collection} was closed.`, {
    details: { collection },
    hint: 'Changes of the last moment may not have been told. Subscribe again and read anew, or use a live query.',
  });
