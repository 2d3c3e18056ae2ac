/**
 * Goal: the types of the package stay cheap for the compiler. Method: an application of 50 collections with 20 fields
 * each is checked with and without its collections. What the compiler instantiates is the same on every machine, and
 * bounded here; seconds are not, and are judged on demand: `TYPE_SECONDS_MAX=3` in the environment of this test.
 */
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { ROOT } from './installation.ts';
import { COLLECTIONS, FIELDS, typeProject } from './type-project.ts';

/** More by the collections than without them. Measured: 213,000, in 2.3 s on two cores. */
const INSTANTIATIONS_MAX = 260_000;
const ROUNDS = 3;
const FOLDER = join(ROOT, 'test/package/fixtures/');

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
  types: [],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  noEmit: true,
  paths: { 'collection-store': [join(ROOT, 'dist/types/index.d.ts')] },
};

type Cost = { readonly instantiations: number; readonly seconds: number; readonly errors: readonly string[] };

/** As the compiler's own command does it, with the files in memory. */
function check(files: ReadonlyMap<string, string>): Cost {
  const start = performance.now();
  const host = ts.createCompilerHost(OPTIONS);
  const { getSourceFile, fileExists, readFile } = host;
  const textOf = (path: string): string | undefined =>
    path.startsWith(FOLDER) ? files.get(path.slice(FOLDER.length)) : undefined;
  host.getSourceFile = (path, options) => {
    const text = textOf(path);
    return text === undefined ? getSourceFile(path, options) : ts.createSourceFile(path, text, options);
  };
  host.fileExists = (path) => textOf(path) !== undefined || fileExists(path);
  host.readFile = (path) => textOf(path) ?? readFile(path);
  const roots = [...files.keys()].map((name) => join(FOLDER, name));
  const program = ts.createProgram(roots, OPTIONS, host);
  const errors = ts.getPreEmitDiagnostics(program);
  return {
    instantiations: program.getInstantiationCount(),
    seconds: (performance.now() - start) / 1_000,
    errors: errors.map(
      ({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    ),
  };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >>> 1]!;

test(`${COLLECTIONS} collections of ${FIELDS} fields cost the compiler little`, { timeout: 300_000 }, () => {
  const secondsMax = Number(process.env['TYPE_SECONDS_MAX'] ?? Number.POSITIVE_INFINITY);
  const rounds = Array.from({ length: Number.isFinite(secondsMax) ? ROUNDS : 1 }, () => {
    const without = check(typeProject({ hasCollections: false }));
    const whole = check(typeProject({ hasCollections: true }));
    expect([...without.errors, ...whole.errors]).toEqual([]);
    return { instantiations: whole.instantiations - without.instantiations, seconds: whole.seconds - without.seconds };
  });
  const { instantiations } = rounds[0]!;
  const seconds = median(rounds.map((round) => round.seconds));
  console.log(`${instantiations} instantiations, ${seconds.toFixed(1)} s more than without the collections`);
  expect(instantiations).toBeGreaterThan(COLLECTIONS * FIELDS);
  expect(instantiations).toBeLessThan(INSTANTIATIONS_MAX);
  expect(seconds).toBeLessThan(secondsMax);
});
