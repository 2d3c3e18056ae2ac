/** The processes of one browser, found by its profile folder, and their sudden end. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

type Process = { readonly pid: number; readonly parent: number; readonly command: string };

const END_MS_MAX = 10_000;
const LOOK_MS = 20;

/**
 * Ends the browser with everything below it, without a warning. Resolves when all of it has ended: a process that waits for
 * the disk holds its files until then, and the next browser could not open them.
 */
export async function killBrowser(profile: string): Promise<number> {
  const processes = await processesOf(profile);
  const killed = kill(processes);
  await ended(processes);
  return killed;
}

async function ended(processes: readonly Process[]): Promise<void> {
  const pids = processes.map(({ pid }) => pid).join();
  for (const endMs = performance.now() + END_MS_MAX; performance.now() < endMs; ) {
    // It answers 1 when there is none. Z: only its parent has not taken notice.
    const states = await run('ps', ['-o', 'stat=', '-p', pids]).then(
      ({ stdout }) => stdout.split('\n').filter((state) => state.trim() !== '' && !state.trim().startsWith('Z')),
      () => [],
    );
    if (states.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`Of the processes ${pids} some have not ended.`);
}

/** Ends what runs the pages of a Chromium. The browser stays. */
export async function killRenderers(profile: string): Promise<number> {
  const processes = await processesOf(profile);
  return kill(processes.filter(({ command }) => command.includes('--type=renderer')));
}

/** Ids of the processes that run the pages of a Chromium. */
export async function renderersOf(profile: string): Promise<ReadonlySet<number>> {
  const processes = await processesOf(profile);
  return new Set(processes.filter(({ command }) => command.includes('--type=renderer')).map(({ pid }) => pid));
}

function kill(processes: readonly Process[]): number {
  let killed = 0;
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
      killed++;
    } catch {
      // It ended by itself meanwhile.
    }
  }
  return killed;
}

/** Parents first. */
async function processesOf(profile: string): Promise<readonly Process[]> {
  const { stdout } = await run('ps', ['-axww', '-o', 'pid=,ppid=,args='], { maxBuffer: 64 * 1024 * 1024 });
  const all: Process[] = [];
  for (const line of stdout.split('\n')) {
    const match = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line);
    if (match !== null) all.push({ pid: Number(match[1]), parent: Number(match[2]), command: match[3]! });
  }
  const found = new Map(all.filter(({ command }) => command.includes(profile)).map((one) => [one.pid, one]));
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const one of all) if (found.has(one.parent)) found.set(one.pid, one);
  }
  return [...found.values()];
}
