/** The relay as its users start it: the built command, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

const START_MS_MAX = 20_000;

export type RelayProcess = {
  readonly url: string;
  readonly pid: number;
  readonly lines: readonly string[];
  /** Nobody reads its standard output from now on. */
  deafen(): void;
  /** Ends it by a signal; answers its exit code, or null when the signal ended it. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>;
};

export async function startRelayProcess(
  root: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RelayProcess> {
  const command = [join(root, 'dist/collection-store.js'), 'relay', '--port', '0', ...args];
  const child = spawn(process.execPath, command, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const port = await startedPort(child, lines);
  return {
    url: `ws://127.0.0.1:${port}`,
    pid: child.pid!,
    lines,
    deafen: () => child.stdout!.destroy(),
    end(signal) {
      child.kill(signal);
      return exited;
    },
  };
}

function startedPort(child: ChildProcess, lines: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`The relay did not start: ${lines.join('\n')}`)), START_MS_MAX);
    child.once('exit', (code) => reject(new Error(`The relay ended with ${code}: ${lines.join('\n')}`)));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      lines.push(line);
      const { event, port } = JSON.parse(line) as { readonly event: string; readonly port: number };
      if (event !== 'started') return;
      clearTimeout(timer);
      resolve(port);
    });
  });
}
