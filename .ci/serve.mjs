// A static file server for localhost with the strictest headers that the package promises to work under (S10).
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';

const REPORT_PATH = '/policy-violation';
const REPORT_BYTES_MAX = 64 * 1024;

// The report is how violations inside a worker come to light: a page does not see them.
export const CONTENT_SECURITY_POLICY =
  "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; " +
  `report-uri ${REPORT_PATH}`;

const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-cache',
};

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.wasm': 'application/wasm',
};

/** Serves folders by path prefix. The longest prefix wins. Port 0 takes any free one. */
export async function serve({ mounts, port = 0, headers = {} }) {
  const prefixes = Object.keys(mounts).sort((a, b) => b.length - a.length);
  const violations = [];
  const server = createServer((request, response) => {
    const path = pathOf(request.url);
    if (path === REPORT_PATH && request.method === 'POST') {
      readReport(request, violations);
      response.writeHead(204, HEADERS).end();
      return;
    }
    if (path === '/favicon.ico') {
      // Browsers ask for it unasked, and call its absence an error.
      response.writeHead(204, HEADERS).end();
      return;
    }
    const prefix = path === undefined ? undefined : prefixes.find((candidate) => path.startsWith(candidate));
    const file = prefix === undefined ? undefined : fileBelow(mounts[prefix], path.slice(prefix.length));
    const allHeaders = { ...HEADERS, ...headers };
    if (file === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(file === undefined ? 404 : 405, { ...allHeaders, 'content-type': 'text/plain' });
      response.end(file === undefined ? 'Not found.\n' : 'Only GET.\n');
      return;
    }
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { ...allHeaders, 'content-type': type });
    if (request.method === 'HEAD') response.end();
    else createReadStream(file).pipe(response);
  });
  await listen(server, port);
  const address = `http://localhost:${server.address().port}`;
  const close = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { address, violations, close };
}

/** A report may come in the old or the new format; what matters is that there is one, and about what. */
function readReport(request, violations) {
  let text = '';
  request.on('data', (part) => {
    if (text.length < REPORT_BYTES_MAX) text += part;
  });
  request.on('end', () => violations.push(text.slice(0, REPORT_BYTES_MAX)));
}

function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Both loopback addresses where there are two: a browser may ask for either under the name localhost.
    server.listen({ port, host: 'localhost' }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function pathOf(url) {
  try {
    return decodeURIComponent(new URL(url ?? '/', 'http://localhost').pathname);
  } catch {
    // A malformed address is simply not found.
    return undefined;
  }
}

function fileBelow(root, path) {
  if (path.includes('\0')) return undefined;
  const file = normalize(join(root, path));
  if (file !== normalize(root) && !file.startsWith(normalize(root + sep))) return undefined;
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile()) return file;
  const index = join(file, 'index.html');
  return found?.isDirectory() && statSync(index, { throwIfNoEntry: false })?.isFile() ? index : undefined;
}
