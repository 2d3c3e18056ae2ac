/** Names of quarantined log records in the meta store. Permanent: they may be read years later. */
export const QUARANTINE_PREFIX: string = 'quarantine/';
/** The first string after all that begin with QUARANTINE_PREFIX. */
export const QUARANTINE_END: string = 'quarantine0';

/** Each quarantine has a number of its own: an LSN that is written anew may be quarantined again. */
export function quarantineKey(round: number, lsn: number): string {
  return `${QUARANTINE_PREFIX}${String(round).padStart(6, '0')}/${String(lsn).padStart(16, '0')}`;
}

/** The number of the next quarantine, given the last (greatest) key of those before, if there was one. */
export function nextQuarantineRound(lastKey: string | undefined): number {
  if (lastKey === undefined) return 1;
  const round = Number.parseInt(lastKey.slice(QUARANTINE_PREFIX.length), 10);
  return Number.isNaN(round) ? 1 : round + 1;
}
