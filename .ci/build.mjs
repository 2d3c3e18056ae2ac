// Builds the package into dist/ and the demo page into .cache/demo, and holds the client to its size budget.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build as viteBuild } from 'vite';
import { writePlaces } from './places-data.mjs';
import { ROOT } from './setup.mjs';

const run = promisify(execFile);
const DIST = join(ROOT, 'dist');
export const DEMO = join(ROOT, '.cache/demo');
const STAMP = join(ROOT, '.cache/build-stamp');
const SOURCES = [
  'src',
  'worker',
  'server',
  'demo',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.relay.json',
  '.ci',
];

/** Bundlers of our users look for exactly this text to find the worker. */
const WORKER_LITERALS = ['worker-start', 'sync-worker'].map(
  (name) => `new Worker(new URL('./${name}.js', import.meta.url), { type: 'module' })`,
);
/** Of the same length, so that source maps stay right when it is put back. */
const markOf = (literal) => `${'__COLLECTION_STORE_WORKER'.padEnd(literal.length - 2, '_')}()`;

/** Files of `src/client` that the client imports when they are used. */
const PARTS = ['transaction', 'lifecycle', 'sync', 'document', 'conflicts'];

/** Entry points for frameworks, and what each of them imports. */
const BINDINGS = { react: 'react', vue: 'vue', svelte: 'svelte/store', solid: 'solid-js' };

/** What the relay imports and does not have inside: programs of Node find their packages. */
const RELAY_PACKAGES = [/^node:/, /^(classic-level|ws|yjs)$/, /^(lib0|y-protocols)\//];

/**
 * Properties of the client that are shortened: nobody else has them. They are on no public object and in no message, and
 * no interface of the platform or of a dependency knows them.
 */
const INTERNAL_NAMES =
  /^(platform|wallClock|setTimer|yieldTask|createKey|inFlight|deadline|waits|owner|onAbort|onRows|onLive|request|post|pull|drain|refuse|lost|link|column|shape|answer|promise|cells|more|isOurs|cancel|parent|thread)$/;
const MINIFY = { compress: true, mangle: true, codegen: { removeWhitespace: true } };

const MODULES_LISTED_MAX = 15;
/** For the message when the client is too large. */
let largestModules = [];

/** Builds everything. Rejects when a part fails or the size budget is exceeded. */
export async function build() {
  rmSync(STAMP, { force: true });
  rmSync(DIST, { recursive: true, force: true });
  mkdirSync(DIST, { recursive: true });
  const types = emitTypes();
  await Promise.all([
    types,
    bundle({
      entry: 'src/index.ts',
      file: 'dist/index.js',
      external: ['rxjs', 'comlink'],
      keepsWorkerCall: true,
      parts: PARTS,
    }),
    ...PARTS.map((name) =>
      bundle({
        entry: `src/client/${name}.ts`,
        file: `dist/${name}.js`,
        external: ['rxjs'],
        keepsWorkerCall: name === 'sync',
        parts: PARTS,
      }),
    ),
    bundle({ entry: 'src/index.ts', file: 'dist/standalone.js', external: [], keepsWorkerCall: true }),
    bundle({ entry: 'worker/main.ts', file: 'dist/worker.js', external: [], keepsWorkerCall: false }),
    emitWorkerStart(),
    bundle({ entry: 'worker/sync-main.ts', file: 'dist/sync-worker.js', external: [], keepsWorkerCall: false }),
    ...Object.entries(BINDINGS).map(([name, framework]) =>
      bundle({ entry: `src/${name}/index.ts`, file: `dist/${name}.js`, external: [framework], keepsWorkerCall: false }),
    ),
    bundle({ entry: 'server/index.ts', file: 'dist/relay.js', external: RELAY_PACKAGES, keepsWorkerCall: false }),
    bundle({
      entry: 'server/main.ts',
      file: 'dist/collection-store.js',
      external: RELAY_PACKAGES,
      keepsWorkerCall: false,
      replaced: { './index.ts': './relay.js' },
    }),
    // Measured only: what an application that has RxJS anyway downloads for the client.
    bundle({
      entry: 'src/index.ts',
      file: '.cache/size/client-core.js',
      external: ['rxjs'],
      keepsWorkerCall: true,
      isMeasured: true,
      parts: PARTS,
    }),
  ]);
  await buildDemo();
  await checkSizes();
  writeFileSync(STAMP, '');
}

/** Builds when a source is newer than the last complete build. */
export async function buildIfStale() {
  const built = statSync(STAMP, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (SOURCES.some((source) => newest(join(ROOT, source)) > built)) await build();
}

/** `parts`: files of the client that are built by themselves and imported when they are used. `replaced`: the same, by import. */
async function bundle({ entry, file, external, keepsWorkerCall, isMeasured = false, parts = [], replaced = {} }) {
  await viteBuild({
    root: ROOT,
    configFile: false,
    logLevel: 'warn',
    publicDir: false,
    plugins: [
      ...(keepsWorkerCall ? [keepWorkerCall()] : []),
      ...(isMeasured ? [noteLargestModules()] : []),
      leaveOut({ ...Object.fromEntries(parts.map((name) => [`./${name}.ts`, `./${name}.js`])), ...replaced }),
    ],
    build: {
      target: 'es2022',
      outDir: join(ROOT, dirname(file)),
      emptyOutDir: false,
      sourcemap: true,
      minify: true,
      reportCompressedSize: false,
      lib: { entry: join(ROOT, entry), formats: ['es'], fileName: () => file.slice(file.lastIndexOf('/') + 1) },
      rolldownOptions: {
        external,
        output: {
          codeSplitting: false,
          comments: false,
          minify: {
            ...MINIFY,
            ...(keepsWorkerCall && !entry.endsWith('sync.ts') ? { mangleProps: { include: INTERNAL_NAMES } } : {}),
          },
        },
      },
    },
  });
  if (!keepsWorkerCall) return;
  const text = readFileSync(join(ROOT, file), 'utf8');
  // A part has its own worker, the client has the first; with everything inside there are both.
  const [own, ofPart] = WORKER_LITERALS;
  const expected = entry.endsWith('sync.ts') ? [ofPart] : parts.length > 0 ? [own] : WORKER_LITERALS;
  for (const literal of expected) {
    if (!text.includes(literal)) throw new Error(`${file} has lost the text ${literal}, which bundlers look for.`);
  }
}

/**
 * Vite would bundle the worker into the client's files, and the minifier would rewrite the call. Both must leave it
 * alone: the bundler of the application resolves it.
 */
function keepWorkerCall() {
  return {
    name: 'keep-worker-call',
    enforce: 'pre',
    transform(code, id) {
      const literal = WORKER_LITERALS.find((each) => code.includes(each));
      if (literal === undefined || id.includes('node_modules')) return undefined;
      return { code: code.replace(literal, markOf(literal)), map: null };
    },
    generateBundle(_options, files) {
      for (const file of Object.values(files)) {
        if (file.type !== 'chunk') continue;
        for (const literal of WORKER_LITERALS) file.code = file.code.replace(markOf(literal), literal);
      }
    },
  };
}

/**
 * The minifier shortens names in builds of one file only. So a part is a build of its own, which the client names by the
 * file that it will be; it has nothing of the client inside, and no shortened name on what is handed over.
 */
function leaveOut(files) {
  const byImport = new Map(Object.entries(files));
  return {
    name: 'leave-out',
    enforce: 'pre',
    resolveId(source) {
      const id = byImport.get(source);
      return id === undefined ? undefined : { id, external: true };
    },
  };
}

function noteLargestModules() {
  return {
    name: 'note-largest-modules',
    generateBundle(_options, files) {
      const chunks = Object.values(files).filter((file) => file.type === 'chunk');
      largestModules = chunks
        .flatMap(({ modules }) => Object.entries(modules))
        .sort(([, a], [, b]) => b.renderedLength - a.renderedLength)
        .slice(0, MODULES_LISTED_MAX)
        .map(([path, { renderedLength }]) => `  ${(renderedLength / 1000).toFixed(1)} KB  ${path.replace(ROOT, '')}`);
    },
  };
}

/** Not bundled: the bundler of the application has to see its call, and the comments in it. */
async function emitWorkerStart() {
  const { default: ts } = await import('typescript');
  const { outputText } = ts.transpileModule(readFileSync(join(ROOT, 'worker/start.ts'), 'utf8'), {
    compilerOptions: { target: 'es2022', module: 'esnext' },
  });
  for (const literal of ["new URL('./worker.js', import.meta.url)", 'webpackIgnore', '@vite-ignore']) {
    if (!outputText.includes(literal)) throw new Error(`dist/worker-start.js has lost ${literal}.`);
  }
  writeFileSync(join(DIST, 'worker-start.js'), outputText);
}

async function emitTypes() {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  for (const config of ['tsconfig.build.json', 'tsconfig.relay.json']) {
    await run(process.execPath, [tsc, '-p', join(ROOT, config)], { cwd: ROOT }).catch((error) => {
      throw new Error(`Type declarations failed:\n${error.stdout}`);
    });
  }
  // Declarations keep the source's .ts extensions, which a user's compiler refuses.
  for (const file of readdirSync(DIST, { recursive: true })) {
    if (!/^(types|relay-types)[\\/].*\.d\.ts$/.test(file)) continue;
    const path = join(DIST, file);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(/((?:from |import\()['"]\.[^'"]*)\.ts(?=['"])/g, '$1.js'));
  }
  for (const name of ['worker', 'sync-worker'])
    writeFileSync(join(DIST, `${name}.d.ts`), '/** The worker is an entry point: it exports nothing. */\nexport {};\n');
}

async function buildDemo() {
  if (!existsSync(join(ROOT, 'demo/index.html'))) return;
  await viteBuild({
    root: join(ROOT, 'demo'),
    configFile: false,
    logLevel: 'warn',
    base: './',
    // The demo is a user of the package: it gets the built files, by the package's name.
    resolve: { alias: { 'collection-store': join(DIST, 'index.js') } },
    worker: { format: 'es' },
    build: {
      target: 'es2022',
      outDir: DEMO,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      reportCompressedSize: false,
      rolldownOptions: { input: ['index', 'places'].map((page) => join(ROOT, `demo/${page}.html`)) },
    },
  });
  writePlaces(join(DEMO, 'places-data'));
}

async function checkSizes() {
  const sizeLimit = join(ROOT, 'node_modules/size-limit/bin.js');
  const { stdout } = await run(process.execPath, [sizeLimit, '--json'], { cwd: ROOT }).catch((error) => error);
  const sizes = JSON.parse(stdout);
  const lines = sizes.map(({ name, size, sizeLimit: limit }) => {
    const share = limit === undefined ? '' : ` of ${(limit / 1000).toFixed(1)}`;
    return `  ${name}: ${(size / 1000).toFixed(2)}${share} KB gzip`;
  });
  console.log(`Sizes\n${lines.join('\n')}`);
  const over = sizes.filter(({ passed }) => passed === false);
  if (over.length === 0) return;
  console.log(`Largest modules of the client, before minification\n${largestModules.join('\n')}`);
  throw new Error(`Over the size budget: ${over.map(({ name }) => name).join(', ')}.`);
}

function newest(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.mtimeMs;
  const inside = readdirSync(path).map((entry) => newest(join(path, entry)));
  // The folder's own time tells of files removed.
  return Math.max(found.mtimeMs, ...inside);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const start = performance.now();
  try {
    await build();
    console.log(`Built dist/ in ${((performance.now() - start) / 1000).toFixed(1)} s.`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
