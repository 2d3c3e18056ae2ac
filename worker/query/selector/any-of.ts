/**
 * Values of rows in the place of a condition, for joins: they are compared, whatever their fields are called. Nothing that
 * comes from a page is one.
 */
export class AnyOf {
  readonly values: readonly unknown[];

  constructor(values: readonly unknown[]) {
    this.values = values;
  }
}
