/** The relay as its users start it: the built command, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

const START_MS_MAX = 20_000;
/** Between two lines about a relay that folds. */
const TOLD_EVERY_MS = 2_000;

export type RelayProcess = {
  readonly url: string;
  readonly pid: number;
  readonly lines: readonly string[];
  /** Resolves when all batches of stores that somebody has opened are folded. Logs how many are left. */
  folded(options: { readonly deadlineMs: number; readonly log: (line: string) => void }): Promise<void>;
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
    folded: ({ deadlineMs, log }) => waitUntilFolded(`http://127.0.0.1:${port}/health`, deadlineMs, log),
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

async function waitUntilFolded(url: string, deadlineMs: number, log: (line: string) => void): Promise<void> {
  const startMs = performance.now();
  let toldMs = startMs;
  for (;;) {
    const left = await unfoldedBatches(url, deadlineMs);
    if (left === 0) return;
    const nowMs = performance.now();
    if (nowMs - startMs > deadlineMs) {
      throw new Error(`${left} batches are unfolded after ${deadlineMs / 1000} s: folding hangs, or is too slow.`);
    }
    if (nowMs - toldMs > TOLD_EVERY_MS) {
      log(`${left} batches are unfolded yet`);
      toldMs = nowMs;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function unfoldedBatches(url: string, timeoutMs: number): Promise<number> {
  // A connection that is kept may be closed by a busy relay just when it is used again.
  const response = await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(timeoutMs) });
  return ((await response.json()) as { readonly unfoldedBatches: number }).unfoldedBatches;
}
