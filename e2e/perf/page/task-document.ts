/**
 * The documents that every system stores: about 150 bytes of JSON in 8 fields. A document is a function of its number,
 * so a scenario can check an answer without keeping what it wrote.
 */

export type TaskDocument = {
  readonly id: string;
  readonly title: string;
  readonly status: string;
  readonly project: string;
  readonly dueAt: number;
  readonly priority: number;
  readonly done: boolean;
  readonly owner: string;
};

export const STATUSES: readonly string[] = ['open', 'active', 'blocked', 'closed'];
export const PROJECT_COUNT = 50;
const OWNER_COUNT = 200;
const YEAR_MS = 365 * 24 * 3_600_000;
const FIRST_DUE_AT = Date.UTC(2025, 0, 1);
const VERBS = ['Review', 'Write', 'Check', 'Plan', 'Send', 'Repair', 'Measure', 'Order'];
const NOUNS = [
  'the budget',
  'a new draft',
  'the contract',
  'the door',
  'the report',
  'all parts',
  'the garden',
  'a letter',
];

const SEED = 0x5eed_2026;

/** 32 bits that depend on the number and the seed only; the constants are those of the murmur3 finalizer. */
function mixed(number: number, salt: number): number {
  let bits = (number ^ SEED ^ Math.imul(salt, 0x9e37_79b9)) >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

const fraction = (number: number, salt: number): number => mixed(number, salt) / 0x1_0000_0000;
const pick = (choices: readonly string[], number: number, salt: number): string =>
  choices[mixed(number, salt) % choices.length] ?? '';

export const taskId = (number: number): string => `t${String(number).padStart(9, '0')}`;
export const projectName = (number: number): string => `p${String(number).padStart(2, '0')}`;

export function taskDocument(number: number): TaskDocument {
  return {
    id: taskId(number),
    title: `${pick(VERBS, number, 1)} ${pick(NOUNS, number, 2)} ${mixed(number, 3) % 1_000}`,
    status: pick(STATUSES, number, 4),
    project: projectName(mixed(number, 5) % PROJECT_COUNT),
    // Fractions of a millisecond away: whole numbers keep the JSON short and every system exact.
    dueAt: FIRST_DUE_AT + Math.floor(fraction(number, 6) * YEAR_MS),
    priority: mixed(number, 7) % 10,
    done: mixed(number, 8) % 3 === 0,
    owner: `user-${mixed(number, 9) % OWNER_COUNT}`,
  };
}

/** Priority at least `from`, and of one owner if one is given: what the scenario `filter` asks for. */
export function filterOf(from: number, owner: string | undefined): (document: TaskDocument) => boolean {
  return ({ priority, owner: own }) => priority >= from && (owner === undefined || own === owner);
}

/** Documents `from` (inclusive) to `to` (exclusive). */
export function taskDocuments(from: number, to: number): TaskDocument[] {
  const documents: TaskDocument[] = [];
  for (let number = from; number < to; number++) documents.push(taskDocument(number));
  return documents;
}

export function jsonBytes(documents: readonly TaskDocument[]): number {
  let bytes = 0;
  for (const document of documents) bytes += JSON.stringify(document).length;
  return bytes;
}

/** A row of a system, which may carry fields of its own (`_rev`), equals the document that was stored. */
export function isSameDocument(row: unknown, expected: TaskDocument): boolean {
  if (typeof row !== 'object' || row === null) return false;
  const fields = row as Record<string, unknown>;
  return Object.entries(expected).every(([field, value]) => fields[field] === value);
}
