import { assertValue, isPlainObject } from '../../src/base/codec/index.ts';

/** Checks a value that goes into rows, and leaves out its `undefined` properties, as storing it would. */
export function storable(value: unknown, path: string): unknown {
  assertValue(value, path);
  return withoutUndefined(value);
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) {
    const elements = Array.from(value, (element: unknown) =>
      element === undefined ? null : withoutUndefined(element),
    );
    return elements.every((element, index) => element === value[index]) ? value : elements;
  }
  if (!isPlainObject(value)) return value;
  const names = Object.keys(value);
  let same = true;
  const fields: Record<string, unknown> = {};
  for (const name of names) {
    const field = value[name];
    if (field !== undefined) fields[name] = withoutUndefined(field);
    same &&= field !== undefined && fields[name] === field;
  }
  return same ? value : fields;
}
