/** How conflicts of a synchronised collection are resolved: what an application says, checked, as plain data. */
import { StoreError } from '../base/store-error.ts';
import type { FieldTypes } from './field-types.ts';

/**
 * A conflict is a change of another device that comes for a document with own changes that no relay has had before it.
 * `merge`: as the documents merge. `last-write-wins`: the later of the two. `server-wins`: what the relay had first.
 * `client-wins`: what this device has. `manual`: as `merge`, and the application is asked (`store.conflicts$`).
 */
export type ConflictStrategy = 'merge' | 'last-write-wins' | 'server-wins' | 'client-wins' | 'manual';

/** `custom`: a function, which the page has. */
export type StrategyName = ConflictStrategy | 'custom';

/** Of a whole collection, or of its fields by name; those that are not named merge. */
export type ConflictSpec = StrategyName | Readonly<Record<string, StrategyName>>;

const STRATEGIES: readonly string[] = [
  'merge',
  'last-write-wins',
  'server-wins',
  'client-wins',
  'manual',
  'custom',
] satisfies StrategyName[];

/** Each is looked at whenever there is a conflict. */
const FIELDS_MAX = 100;

/**
 * `given`: JSON text of the option `conflict`, with `{ $function: name }` in the place of functions. Throws
 * `collection/invalid-conflict`.
 */
export function toConflictSpec(
  given: unknown,
  { name, key, fields = {} }: { readonly name: string; readonly key: string; readonly fields?: FieldTypes | undefined },
): ConflictSpec {
  const refuse = (rule: string, field?: string): never => {
    const of = field === undefined ? 'conflict' : `conflict.${field}`;
    throw new StoreError('collection/invalid-conflict', `Collection ${JSON.stringify(name)}: ${of} ${rule}.`, {
      details: { collection: name, ...(field === undefined ? {} : { field }), rule, known: STRATEGIES },
      hint: `Strategies are ${STRATEGIES.slice(0, -1).join(', ')}, or a function of (base, local, remote); for the whole collection, or for fields by name.`,
    });
  };
  if (typeof given !== 'string') return given === undefined ? 'merge' : refuse('is no strategy');
  const spec: unknown = JSON.parse(given, (_name, value) => (isFunction(value) ? 'custom' : value));
  if (typeof spec === 'string') {
    return STRATEGIES.includes(spec) ? (spec as StrategyName) : refuse(`is the unknown strategy ${given}`);
  }
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) return refuse('is no strategy');
  const names = Object.entries(spec);
  if (names.length > FIELDS_MAX) refuse(`names more than ${FIELDS_MAX} fields`);
  for (const [field, strategy] of names) {
    if (!STRATEGIES.includes(strategy)) refuse(`is the unknown strategy ${JSON.stringify(strategy)}`, field);
    if (field === key) refuse('is about the key, which never changes', field);
    if (field === '' || field.includes('.')) refuse('is not about a field at the top of a document', field);
    const type = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (type !== undefined && strategy !== 'merge') refuse(`is about a field of type ${type}, which merges`, field);
  }
  return spec as ConflictSpec;
}

const isFunction = (value: unknown): boolean => typeof value === 'object' && value !== null && '$function' in value;

/** The same as an application gives it, with the names of strategies alone. */
export function conflictNames(conflict: unknown): ConflictSpec | undefined {
  if (typeof conflict === 'function') return 'custom';
  if (typeof conflict !== 'object' || conflict === null) return conflict as ConflictSpec | undefined;
  const names = Object.entries(conflict).filter(([, strategy]) => strategy !== undefined);
  return Object.fromEntries(
    names.map(([field, strategy]) => [field, typeof strategy === 'function' ? 'custom' : strategy]),
  );
}

/** A field's, or that of what is about the document as a whole: that it is there. */
export function strategyOf(spec: ConflictSpec, field?: string): StrategyName {
  if (typeof spec === 'string') return spec;
  return field !== undefined && Object.hasOwn(spec, field) ? spec[field]! : 'merge';
}
