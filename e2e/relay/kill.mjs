// npm run test:relay -- [--runs N] [--seed S]: kills the built relay at random moments under load (rule R1).
import process from 'node:process';
import { buildIfStale } from '../../.ci/build.mjs';
import { runBundled } from '../run-bundled.mjs';

await buildIfStale();
process.exitCode = await runBundled('e2e/relay/kill-run.ts', ({ main }, root) => main(process.argv.slice(2), root));
