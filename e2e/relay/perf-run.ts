/**
 * npm run perf:relay: how many updates a second a relay takes and shows to 100 clients, beside two other Yjs servers, and
 * what the relay's memory does when the number of stored documents grows. Servers are processes of their own; all clients
 * are sockets of this one, which do as little as they can.
 */
import { parseArgs } from 'node:util';
import { type MemoryFigures, measureMemory } from './perf-memory.ts';
import { PERF_SERVERS, type PerfServer } from './perf-servers.ts';
import { CLIENTS, measureThroughput } from './perf-throughput.ts';

/** The relay takes and shows at least so many times as many updates as each peer. */
const TIMES_MIN = 3;
const DOCUMENTS_FEW = 10_000;
/** What runs over the same store differ by, since V8 collects garbage when it likes; 20 bytes for each document more. */
const MEMORY_NOISE_MB = 20;

type Verdict = { readonly target: string; readonly isMet: boolean; readonly measured: string };

export async function main(args: readonly string[], root: string): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      suite: { type: 'string' },
      updates: { type: 'string', default: '4000' },
      rounds: { type: 'string', default: '3' },
      documents: { type: 'string', default: '1000000' },
      check: { type: 'boolean', default: false },
    },
  });
  const { suite } = values;
  if (suite !== undefined && suite !== 'throughput' && suite !== 'memory') {
    throw new Error(`There is no suite ${suite}. There are: throughput, memory.`);
  }
  const verdicts: Verdict[] = [];
  if (suite !== 'memory') verdicts.push(...(await throughput(root, Number(values.updates), Number(values.rounds))));
  if (suite !== 'throughput') verdicts.push(await memory(root, Number(values.documents)));
  for (const { target, isMet, measured } of verdicts)
    console.log(`${isMet ? 'met' : 'MISSED'}  ${target}: ${measured}`);
  return values.check && verdicts.some(({ isMet }) => !isMet) ? 1 : 0;
}

async function throughput(root: string, updates: number, rounds: number): Promise<readonly Verdict[]> {
  const rates = new Map<PerfServer, number[]>(PERF_SERVERS.map((server) => [server, []]));
  // Round by round, so that a change of the machine's mood meets all of them.
  for (let round = 0; round < rounds; round++) {
    for (const [server, measured] of rates) measured.push(await measureThroughput(root, server, updates));
  }
  console.log(`Updates per second, shown to ${CLIENTS} clients; the median of ${rounds} runs (all of them):`);
  for (const [{ name }, measured] of rates) {
    console.log(`  ${name}: ${median(measured).toFixed(0)} (${measured.map((rate) => rate.toFixed(0)).join(', ')})`);
  }
  const medians = [...rates].map(([{ name, role }, measured]) => ({ name, role, rate: median(measured) }));
  return medians
    .filter(({ role }) => role === 'ours')
    .flatMap((ours) =>
      medians
        .filter(({ role }) => role === 'peer')
        .map((peer) => ({
          target: `${ours.name}: at least ${TIMES_MIN} times ${peer.name}`,
          isMet: ours.rate >= TIMES_MIN * peer.rate,
          measured: `${(ours.rate / peer.rate).toFixed(2)} times`,
        })),
    );
}

async function memory(root: string, documents: number): Promise<Verdict> {
  const few = await memoryWith(root, DOCUMENTS_FEW);
  const many = await memoryWith(root, documents);
  return {
    target: `memory with ${documents} documents no more than with ${DOCUMENTS_FEW} (and ${MEMORY_NOISE_MB} MB of noise)`,
    isMet: many.ownMb <= few.ownMb + MEMORY_NOISE_MB,
    measured: `${many.ownMb.toFixed(0)} and ${few.ownMb.toFixed(0)} MB`,
  };
}

async function memoryWith(root: string, documents: number): Promise<MemoryFigures> {
  const figures = await measureMemory(root, documents, (line) => console.log(`  ${line}`));
  const { ownMb, residentMb, storedPerSecond } = figures;
  console.log(
    `${documents} documents: ${ownMb.toFixed(0)} MB of its own, ${residentMb.toFixed(0)} MB resident with mapped files; ` +
      `${storedPerSecond.toFixed(0)} documents/s stored and folded`,
  );
  return figures;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
