/** Where the demo page is built. */
export const DEMO: string;
export function build(): Promise<void>;
export function buildIfStale(): Promise<void>;
