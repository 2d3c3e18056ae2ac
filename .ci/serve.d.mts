export const CONTENT_SECURITY_POLICY: string;
export type ServeOptions = {
  /** Folders by path prefix; prefixes begin and end with a slash. */
  readonly mounts: Readonly<Record<string, string>>;
  readonly port?: number;
  /** Added to the strict headers, or replacing them. */
  readonly headers?: Readonly<Record<string, string>>;
};
export type Served = {
  readonly address: string;
  /** What browsers reported against the policy, in pages and in workers. Grows. */
  readonly violations: readonly string[];
  close(): Promise<void>;
};
export function serve(options: ServeOptions): Promise<Served>;
