/** Whether a schema is one, and one that can be honoured: everything that would fail later is refused here. */
import { dereference, type Schema, Validator } from '@cfworker/json-schema';
import { assertValue } from '../../src/base/codec/index.ts';
import { StoreError } from '../../src/base/store-error.ts';

const count: Schema = { type: 'integer', minimum: 0 };
const number: Schema = { type: 'number' };
const strings: Schema = { type: 'array', items: { type: 'string' } };
const schema: Schema = { $ref: '#' };
const schemas: Schema = { type: 'array', minItems: 1, items: schema };
const schemaMap: Schema = { type: 'object', additionalProperties: schema };
const simpleType: Schema = { enum: ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer'] };

/** The shape of a schema, as a schema: the operands of all keywords that are understood. */
const META: Schema = {
  type: ['object', 'boolean'],
  properties: {
    $ref: { type: 'string' },
    $id: { type: 'string' },
    $defs: schemaMap,
    definitions: schemaMap,
    type: { anyOf: [simpleType, { type: 'array', items: simpleType, minItems: 1 }] },
    enum: { type: 'array' },
    required: strings,
    properties: schemaMap,
    patternProperties: schemaMap,
    additionalProperties: schema,
    unevaluatedProperties: schema,
    propertyNames: schema,
    dependentRequired: { type: 'object', additionalProperties: strings },
    dependentSchemas: schemaMap,
    minProperties: count,
    maxProperties: count,
    prefixItems: schemas,
    items: { anyOf: [schema, schemas] },
    additionalItems: schema,
    unevaluatedItems: schema,
    contains: schema,
    minContains: count,
    maxContains: count,
    minItems: count,
    maxItems: count,
    uniqueItems: { type: 'boolean' },
    minimum: number,
    maximum: number,
    exclusiveMinimum: { type: ['number', 'boolean'] },
    exclusiveMaximum: { type: ['number', 'boolean'] },
    multipleOf: { type: 'number', exclusiveMinimum: 0 },
    minLength: count,
    maxLength: count,
    pattern: { type: 'string' },
    format: { type: 'string' },
    allOf: schemas,
    anyOf: schemas,
    oneOf: schemas,
    not: schema,
    if: schema,
    // biome-ignore lint/suspicious/noThenProperty: the keyword has this name.
    then: schema,
    else: schema,
    $dynamicRef: false,
    $dynamicAnchor: false,
  },
};

/**
 * A copy of the schema, which the validator may mark. Throws `collection/invalid-schema` for keywords with operands
 * that make no sense, patterns that are none, references that lead nowhere, and dynamic references.
 */
export function checkSchema(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const own = copyOf(given);
  const { valid, errors } = new Validator(META, '2020-12', false).validate(own);
  if (!valid) {
    const last = errors.at(-1)!;
    refuse(last.instanceLocation, last.error);
  }
  let lookup: Record<string, Schema | boolean>;
  try {
    lookup = dereference(own);
  } catch (cause) {
    return refuse('#', String(cause), cause);
  }
  for (const [place, part] of Object.entries(lookup)) if (typeof part === 'object') checkPart(part, place, lookup);
  return own;
}

function checkPart(part: Schema, place: string, lookup: Record<string, unknown>): void {
  const patterns = [part.pattern, ...Object.keys(part.patternProperties ?? {})];
  for (const pattern of patterns) {
    if (typeof pattern !== 'string') continue;
    try {
      new RegExp(pattern, 'u');
    } catch (cause) {
      refuse(place, `'${pattern}' is not a pattern`, cause);
    }
  }
  const target = part.__absolute_ref__ ?? part.$ref;
  if (target !== undefined && lookup[target] === undefined) refuse(place, `$ref '${part.$ref}' leads nowhere`);
}

function copyOf(given: unknown): Record<string, unknown> {
  try {
    assertValue(given, '');
  } catch (cause) {
    return refuse('#', cause instanceof StoreError ? cause.message : String(cause), cause);
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return refuse('#', 'A schema must be an object');
  return JSON.parse(JSON.stringify(given)) as Record<string, unknown>;
}

function refuse(place: string, problem: string, cause?: unknown): never {
  const at = place.slice(place.indexOf('#'));
  throw new StoreError('collection/invalid-schema', `The JSON Schema is wrong at ${at}: ${problem}`, {
    details: { at, problem },
    hint: 'See json-schema.org for the keywords and their operands.',
    ...(cause === undefined ? {} : { cause }),
  });
}
