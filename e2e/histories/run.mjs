// `npm run test:histories`: what clients in several tabs were told while the tab that leads was killed, judged.
import process from 'node:process';
import { buildIfStale } from '../../.ci/build.mjs';
import { runBundled } from '../run-bundled.mjs';

const args = process.argv.slice(2);
if (!args.includes('--no-build')) await buildIfStale();
const ownArgs = args.filter((argument) => argument !== '--no-build');
process.exitCode = await runBundled('e2e/histories/main.ts', ({ main }, root) => main(ownArgs, root));
