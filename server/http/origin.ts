/** Whether a page of an origin may connect. A browser always says its page's origin; other programs need not. */
export function isOriginAllowed(
  origins: readonly string[],
  origin: string | undefined,
  host: string | undefined,
): boolean {
  if (origin === undefined || origins.includes('*')) return true;
  if (origins.length > 0) return origins.includes(origin);
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  return url !== undefined && url.host === host;
}
