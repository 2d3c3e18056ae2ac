// npm start: installs what is missing, builds the package and the demo, serves the demo on localhost.
import process from 'node:process';
import { setUp } from './setup.mjs';

const PORT_DEFAULT = 4173;
const PORTS_TRIED_MAX = 20;

setUp();
// Loaded only now: the build needs what set-up has just installed.
const { build, DEMO } = await import('./build.mjs');
const { serve } = await import('./serve.mjs');
try {
  await build();
  const { address } = await serveOnFreePort();
  console.log(`\nThe demo is at ${address}/\nStop it with Ctrl+C.`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

async function serveOnFreePort() {
  const chosen = process.env['PORT'];
  if (chosen !== undefined) return serve({ mounts: { '/': DEMO }, port: Number(chosen) });
  for (let port = PORT_DEFAULT; port < PORT_DEFAULT + PORTS_TRIED_MAX; port++) {
    try {
      return await serve({ mounts: { '/': DEMO }, port });
    } catch (error) {
      if (error.code !== 'EADDRINUSE') throw error;
    }
  }
  throw new Error(`Ports ${PORT_DEFAULT} to ${PORT_DEFAULT + PORTS_TRIED_MAX - 1} are taken. Set PORT to a free one.`);
}
