/** The part of the Standard Schema interface (version 1) that the store uses: what zod, valibot and arktype have. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export type SchemaIssue = {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
};

// biome-ignore lint/suspicious/noExplicitAny: `any` is what inference over an unknown schema needs.
type AnySchema = StandardSchema<any, any>;
export type SchemaInput<S extends AnySchema> = NonNullable<S['~standard']['types']>['input'];
export type SchemaOutput<S extends AnySchema> = NonNullable<S['~standard']['types']>['output'];

/** One thing that is wrong with a document. */
export type Issue = {
  /** Dotted path of the field. */
  readonly path: string;
  readonly message: string;
  /** The store's own rule (`row/...`), when it is one. */
  readonly rule?: string;
  readonly found?: unknown;
};

/** Issues as plain data: a schema's own may hold anything. */
export function plainIssues(issues: readonly SchemaIssue[]): readonly Issue[] {
  return issues.map(({ message, path = [] }) => ({
    path: path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.'),
    message,
  }));
}

// biome-ignore lint/suspicious/noExplicitAny: any schema will do.
export const isStandardSchema = (schema: any): schema is StandardSchema =>
  typeof schema?.['~standard']?.validate === 'function';
