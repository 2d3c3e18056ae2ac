/**
 * A quick yes: closures over the common keywords of a schema. It may answer false for a valid row, which then costs
 * the full validation, but never true for an invalid one.
 */
import { format as formats } from '@cfworker/json-schema';

type Schema = Readonly<Record<string, unknown>>;
export type Acceptor = (value: unknown) => boolean;

/** Keywords that say nothing about validity. */
const ANNOTATIONS = [
  '$schema',
  '$id',
  '$comment',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
];

/** Builders by keyword. `undefined`: this use of the keyword is left to the full validator. */
const KEYWORDS: Readonly<Record<string, (operand: never, schema: Schema) => Acceptor | undefined>> = {
  type: (type: string | readonly string[]) => typeAcceptor(type),
  enum: (values: readonly unknown[]) =>
    values.every(isScalar) ? (value) => values.includes(value) && !Number.isNaN(value) : undefined,
  const: (expected: unknown) => (isScalar(expected) ? (value) => value === expected : undefined),
  minimum: (limit: number) => (value) => typeof value !== 'number' || value >= limit,
  maximum: (limit: number) => (value) => typeof value !== 'number' || value <= limit,
  exclusiveMinimum: (limit: unknown) =>
    typeof limit === 'number' ? (value) => typeof value !== 'number' || value > limit : undefined,
  exclusiveMaximum: (limit: unknown) =>
    typeof limit === 'number' ? (value) => typeof value !== 'number' || value < limit : undefined,
  // Lengths count code points: at least half of the units, and at most all of them.
  minLength: (limit: number) => (value) =>
    isText(value) && (typeof value !== 'string' || value.length >= limit * 2 || [...value].length >= limit),
  maxLength: (limit: number) => (value) =>
    isText(value) &&
    (typeof value !== 'string' || value.length <= limit || (value.length <= limit * 2 && [...value].length <= limit)),
  pattern: (source: string) => {
    const pattern = new RegExp(source, 'u');
    return (value) => isText(value) && (typeof value !== 'string' || pattern.test(value));
  },
  format: (name: string) => formatAcceptor(name),
  items: (items: unknown, schema) =>
    Array.isArray(items) || 'prefixItems' in schema ? undefined : itemsAcceptor(items),
  minItems: (limit: number) => (value) => !Array.isArray(value) || value.length >= limit,
  maxItems: (limit: number) => (value) => !Array.isArray(value) || value.length <= limit,
  allOf: (schemas: readonly unknown[]) => {
    const acceptors = acceptorsOf(schemas);
    return acceptors && ((value) => acceptors.every((accepts) => accepts(value)));
  },
  anyOf: (schemas: readonly unknown[]) => {
    const acceptors = acceptorsOf(schemas);
    return acceptors && ((value) => acceptors.some((accepts) => accepts(value)));
  },
  properties: (_, schema) => objectAcceptor(schema),
  additionalProperties: (_, schema) => ('properties' in schema ? always : objectAcceptor(schema)),
  required: (names: readonly string[]) => (value) =>
    !isObject(value) || names.every((name) => Object.hasOwn(value, name) && value[name] !== undefined),
};

/** The quick check for a schema; `undefined` when it uses a keyword that only the full validator knows. */
export function acceptorOf(schema: unknown): Acceptor | undefined {
  if (schema === true) return always;
  if (!isObject(schema)) return undefined;
  const acceptors: Acceptor[] = [];
  for (const [keyword, operand] of Object.entries(schema)) {
    if (ANNOTATIONS.includes(keyword)) continue;
    const acceptor = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword]!(operand as never, schema) : undefined;
    if (acceptor === undefined) return undefined;
    if (acceptor !== always) acceptors.push(acceptor);
  }
  if (acceptors.length === 1) return acceptors[0];
  return (value) => {
    for (let i = 0; i < acceptors.length; i++) if (!acceptors[i]!(value)) return false;
    return true;
  };
}

function acceptorsOf(schemas: readonly unknown[]): readonly Acceptor[] | undefined {
  const acceptors = schemas.map(acceptorOf);
  return acceptors.every((acceptor) => acceptor !== undefined) ? acceptors : undefined;
}

const always: Acceptor = () => true;

function objectAcceptor(schema: Schema): Acceptor | undefined {
  const acceptorByName = new Map<string, Acceptor>();
  for (const [name, property] of Object.entries((schema['properties'] ?? {}) as Schema)) {
    const acceptor = acceptorOf(property);
    if (acceptor === undefined) return undefined;
    acceptorByName.set(name, acceptor);
  }
  const { additionalProperties: additional = true } = schema;
  // With patterns the rest of the properties is not the rest; that keyword is unknown here and ends the quick check.
  const others = additional === false ? () => false : acceptorOf(additional);
  if (others === undefined) return undefined;
  return (value) => {
    if (!isObject(value)) return true;
    const names = Object.keys(value);
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      const field = value[name];
      if (field !== undefined && !(acceptorByName.get(name) ?? others)(field)) return false;
    }
    return true;
  };
}

function itemsAcceptor(items: unknown): Acceptor | undefined {
  const accepts = acceptorOf(items);
  if (accepts === undefined) return undefined;
  return (value) => !Array.isArray(value) || value.every((element) => element !== undefined && accepts(element));
}

function typeAcceptor(type: string | readonly string[]): Acceptor {
  if (typeof type !== 'string') {
    const acceptors = type.map(typeAcceptor);
    return (value) => acceptors.some((accepts) => accepts(value));
  }
  switch (type) {
    case 'string':
      return (value) => typeof value === 'string' || isValidDate(value);
    case 'integer':
      return Number.isInteger;
    case 'null':
      return (value) => value === null;
    case 'array':
      return Array.isArray;
    case 'object':
      return isObject;
    default:
      return (value) => typeof value === type;
  }
}

function formatAcceptor(name: string): Acceptor | undefined {
  const test = Object.hasOwn(formats, name) ? formats[name] : undefined;
  if (test === undefined) return always;
  const takesDates = name === 'date-time';
  return (value) => (typeof value === 'string' ? test(value) : takesDates || isText(value));
}

const isScalar = (value: unknown): boolean => typeof value !== 'object' || value === null;

/** Not a date, whose text these keywords would have to see. */
const isText = (value: unknown): boolean => !(value instanceof Date);

const isValidDate = (value: unknown): boolean => value instanceof Date && !Number.isNaN(value.getTime());

/** A plain object. Binary is one to the full validator, but rare enough to be left to it. */
function isObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !ArrayBuffer.isView(value)
  );
}
