/** The package as a user has it: packed, and unpacked into the node_modules of an empty project outside the repository. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const ROOT: string = new URL('../..', import.meta.url).pathname;
const FIXTURES = join(ROOT, 'test/package/fixtures');

export type Installation = {
  /** An empty project that has the package and its dependencies. */
  readonly folder: string;
  readonly tarball: string;
  /** Paths inside the package. */
  readonly files: readonly string[];
  /** A folder with an application from the fixtures, which resolves the package. */
  createApp(name: 'vite' | 'webpack' | 'plain' | 'react'): Promise<string>;
  /** The same in the project's own folder. */
  createAppAtRoot(name: 'vite'): Promise<string>;
  /** Makes packages of the repository resolve here, which must not be served: they are links. */
  link(...names: readonly string[]): Promise<void>;
  remove(): Promise<void>;
};

export async function installPackage(): Promise<Installation> {
  const folder = await mkdtemp(join(tmpdir(), 'collection-store-package-'));
  const pack = ['pack', '--ignore-scripts', '--json', '--loglevel=error', '--pack-destination', folder];
  const { stdout } = await run('npm', pack, { cwd: ROOT, shell: process.platform === 'win32' });
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  const tarball = join(folder, packed.filename);
  const modules = join(folder, 'node_modules');
  const home = join(modules, 'collection-store');
  await mkdir(home, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', home, '--strip-components=1']);
  // Copies of what the lockfile installed keep the test off the network. Not links: Vite refuses files outside a project.
  for (const name of ['comlink', 'idb', 'rxjs', 'tslib']) {
    await cp(join(ROOT, 'node_modules', name), join(modules, name), { recursive: true });
  }
  return {
    folder,
    tarball,
    files: packed.files.map(({ path }) => path),
    async createApp(name) {
      const app = await mkdtemp(join(folder, `${name}-`));
      await copyApp(name, app);
      // Plain modules are served from the application's own folder.
      await symlink(modules, join(app, 'node_modules'));
      return app;
    },
    async createAppAtRoot(name) {
      await copyApp(name, folder);
      return folder;
    },
    async link(...names) {
      await mkdir(join(modules, '@types'), { recursive: true });
      for (const name of names) await symlink(join(ROOT, 'node_modules', name), join(modules, name));
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function copyApp(name: string, folder: string): Promise<void> {
  await cp(join(FIXTURES, name), folder, { recursive: true });
  await cp(join(FIXTURES, 'app.js'), join(folder, 'app.js'));
}
