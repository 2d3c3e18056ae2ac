// The package's worker, with somebody who watches its transactions from outside.
import './built/observe.js';
import '../dist/worker.js';
