/** Goal: the IndexedDB home keeps the contract. Method: the contract suite over fake-indexeddb; browsers run it as well. */
import 'fake-indexeddb/auto';
import { describeStorage } from '../contracts/storage-contract.ts';
import { createIdbHome } from '../fakes/idb-home.ts';

describeStorage('IndexedDB (fake-indexeddb)', () => createIdbHome(indexedDB));
