// npm run perf:relay -- [--suite throughput|memory] [--updates N] [--rounds N] [--documents N] [--check]: the relay's figures, beside other Yjs servers; exit code 1 when --check is given and a target missed.
import process from 'node:process';
import { buildIfStale } from '../../.ci/build.mjs';
import { runBundled } from '../run-bundled.mjs';

await buildIfStale();
process.exitCode = await runBundled('e2e/relay/perf-run.ts', ({ main }, root) => main(process.argv.slice(2), root));
