// `npm run perf`; the runner is in runner/.
import process from 'node:process';
import { buildIfStale } from '../../.ci/build.mjs';
import { runBundled } from '../run-bundled.mjs';

process.exitCode = await runBundled('e2e/perf/runner/main.ts', ({ main }, root) =>
  main(process.argv.slice(2), { root, buildPackage: buildIfStale }),
);
