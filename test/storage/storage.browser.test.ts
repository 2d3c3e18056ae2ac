/** Goal: the contract holds on the browser's own IndexedDB. Method: the contract suite in Chromium and Firefox. */
import { describeStorage } from '../contracts/storage-contract.ts';
import { createIdbHome } from '../fakes/idb-home.ts';

describeStorage('IndexedDB (browser)', () => createIdbHome(indexedDB));
