/** Goal: as in idb-faults-suite.ts. Method: that suite on the browser's own IndexedDB. */
import { describeIdbFaults } from './idb-faults-suite.ts';

describeIdbFaults(indexedDB, { requestFaults: 'events that happen once' });
