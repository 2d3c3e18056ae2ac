/** Finds what no serial order explains in a history of transactions over growing lists. */
import { edgesOf, externalReads, nameOf, ordersOf, writersOf } from './dependencies.ts';
import type { Anomaly, AnomalyType, Edge, EdgeType, Transaction } from './history.ts';

/** Anomalies of one kind that are reported. One is enough to be wrong. */
const REPORTED_MAX = 10;

/** [] when the history is serializable, as far as its reads tell. */
export function findAnomalies(history: readonly Transaction[]): readonly Anomaly[] {
  return [...valueAnomalies(history), ...lostUpdates(history), ...circles(edgesOf(history))];
}

/** For the failure text of a test. */
export const toText = (anomalies: readonly Anomaly[]): string =>
  anomalies.map(({ type, transactions, explanation }) => `${type} [${transactions}]: ${explanation}`).join('\n');

function valueAnomalies(history: readonly Transaction[]): readonly Anomaly[] {
  const found: Anomaly[] = [];
  const report = (type: AnomalyType, transactions: readonly string[], explanation: string): void => {
    if (found.filter((each) => each.type === type).length < REPORTED_MAX)
      found.push({ type, transactions, explanation });
  };
  const writers = writersOf(history);
  const orders = ordersOf(history);
  for (const transaction of history) {
    const { id, outcome, operations } = transaction;
    if (outcome === 'aborted') continue;
    const known = new Map<string, readonly number[]>();
    for (const operation of operations) {
      const { key } = operation;
      const own = known.get(key);
      if (operation.type === 'append') {
        const writer = writers.get(nameOf(key, operation.value))!;
        if (writer.transaction !== transaction)
          report('unexplained-value', [writer.transaction.id, id], `${nameOf(key, operation.value)} is appended twice`);
        // Without a read before it, what it is appended to is not known.
        if (own !== undefined) known.set(key, [...own, operation.value]);
        continue;
      }
      const { list } = operation;
      if (own !== undefined && own.join() !== list.join())
        report('internal', [id], `${key} was ${own.join()} and then read as ${list.join()}`);
      known.set(key, list);
      if (list.join() !== orders.get(key)!.slice(0, list.length).join())
        report('no-order', [id], `${key}: ${list.join()} is no beginning of ${orders.get(key)!.join()}`);
      for (const [at, value] of list.entries()) {
        const writer = writers.get(nameOf(key, value));
        if (writer === undefined) report('unexplained-value', [id], `nobody has appended ${nameOf(key, value)}`);
        else if (writer.transaction !== transaction && writer.transaction.outcome === 'aborted')
          report('G1a', [writer.transaction.id, id], `${nameOf(key, value)} of an aborted transaction was read`);
        else if (writer.transaction !== transaction && !writer.isLast && at === list.length - 1)
          report('G1b', [writer.transaction.id, id], `${nameOf(key, value)} was read, and changed by its writer after`);
      }
    }
  }
  for (const last of history.filter(({ outcome, isLast }) => isLast === true && outcome === 'committed')) {
    for (const { key, list } of externalReads(last)) {
      const values = new Set(list);
      for (const { id, outcome, operations } of history) {
        for (const operation of outcome === 'committed' && id !== last.id ? operations : []) {
          if (operation.type === 'append' && operation.key === key && !values.has(operation.value))
            report('lost-append', [id, last.id], `${nameOf(key, operation.value)} was committed, and is not there`);
        }
      }
    }
  }
  return found;
}

/** Also when the second write has wiped out the first, so that no list shows both. */
function lostUpdates(history: readonly Transaction[]): readonly Anomaly[] {
  const found: Anomaly[] = [];
  const seen = new Map<string, string>();
  for (const transaction of history) {
    if (transaction.outcome !== 'committed') continue;
    const { id, operations } = transaction;
    for (const { key, list } of externalReads(transaction)) {
      if (!operations.some((operation) => operation.type === 'append' && operation.key === key)) continue;
      const state = `${key} ${list.length} ${list.at(-1)}`;
      const other = seen.get(state);
      if (other !== undefined && found.length < REPORTED_MAX) {
        const explanation = `both have read ${key} as ${list.join() || 'empty'} and appended to it`;
        found.push({ type: 'lost-update', transactions: [other, id], explanation });
      }
      seen.set(state, id);
    }
  }
  return found;
}

/** One circle for each kind, named after the worst that it has. */
function circles(edges: readonly Edge[]): readonly Anomaly[] {
  const found: Anomaly[] = [];
  const covered = new Set<string>();
  const search = (
    through: readonly EdgeType[],
    closing: EdgeType,
    name: (circle: readonly Edge[]) => AnomalyType,
  ): void => {
    const used = edges.filter(({ type }) => through.includes(type));
    const reach = reachOf(used, [...used, ...edges.filter(({ type }) => type === closing)]);
    for (const edge of edges) {
      if (edge.type !== closing || covered.has(`${edge.from} ${edge.to}`)) continue;
      const path = reach(edge.to, edge.from);
      if (path === undefined) continue;
      const circle = [edge, ...path];
      for (const each of circle) covered.add(`${each.from} ${each.to}`);
      const type = name(circle);
      if (found.filter((each) => each.type === type).length >= REPORTED_MAX) continue;
      const explanation = circle.map(({ from, to, type: kind, why }) => `${from} -${kind}-> ${to} (${why})`).join(', ');
      found.push({ type, transactions: circle.map(({ from }) => from), explanation });
    }
  };
  search(['ww'], 'ww', () => 'G0');
  search(['ww', 'wr'], 'wr', () => 'G1c');
  search(['ww', 'wr'], 'rw', () => 'G-single');
  search(['ww', 'wr', 'rw'], 'rw', (circle) =>
    circle.length === 2 && circle.every(({ type }) => type === 'rw') ? 'write-skew' : 'G2-item',
  );
  return found;
}

function outgoingOf(edges: readonly Edge[]): ReadonlyMap<string, readonly Edge[]> {
  const outgoing = new Map<string, Edge[]>();
  for (const edge of edges) {
    const known = outgoing.get(edge.from);
    if (known === undefined) outgoing.set(edge.from, [edge]);
    else known.push(edge);
  }
  return outgoing;
}

/** Shortest paths along edges, from one transaction to another, as parts of circles of `all`. */
function reachOf(
  edges: readonly Edge[],
  all: readonly Edge[],
): (from: string, to: string) => readonly Edge[] | undefined {
  const outgoing = outgoingOf(edges);
  const componentOf = components(outgoingOf(all));
  return (from, to) => {
    // Circles stay within one component: most questions end here.
    if (componentOf(from) !== componentOf(to)) return undefined;
    const cameBy = new Map<string, Edge>();
    const queue = [from];
    for (const at of queue) {
      for (const edge of outgoing.get(at) ?? []) {
        if (cameBy.has(edge.to) || edge.to === from) continue;
        cameBy.set(edge.to, edge);
        queue.push(edge.to);
      }
      if (cameBy.has(to)) break;
    }
    const path: Edge[] = [];
    for (let at = to; at !== from; at = path[0]!.from) {
      const edge = cameBy.get(at);
      if (edge === undefined) return undefined;
      path.unshift(edge);
    }
    return path;
  };
}

/** Strongly connected components (Tarjan), without recursion: histories are long. */
function components(outgoing: ReadonlyMap<string, readonly Edge[]>): (id: string) => number {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const component = new Map<string, number>();
  const stack: string[] = [];
  for (const root of outgoing.keys()) {
    if (index.has(root)) continue;
    const work: { readonly id: string; next: number }[] = [];
    const enter = (id: string): void => {
      index.set(id, index.size);
      low.set(id, index.get(id)!);
      stack.push(id);
      work.push({ id, next: 0 });
    };
    enter(root);
    while (work.length > 0) {
      const frame = work.at(-1)!;
      const edge = outgoing.get(frame.id)?.[frame.next++];
      if (edge === undefined) {
        work.pop();
        const above = work.at(-1);
        if (above !== undefined) low.set(above.id, Math.min(low.get(above.id)!, low.get(frame.id)!));
        if (low.get(frame.id) !== index.get(frame.id)) continue;
        for (let id = stack.pop()!; ; id = stack.pop()!) {
          component.set(id, index.get(frame.id)!);
          if (id === frame.id) break;
        }
      } else if (!index.has(edge.to)) enter(edge.to);
      else if (!component.has(edge.to)) low.set(frame.id, Math.min(low.get(frame.id)!, index.get(edge.to)!));
    }
  }
  return (id) => component.get(id) ?? -1 - (index.get(id) ?? 0);
}
