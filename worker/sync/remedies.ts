/** What a user or developer can do about a relay that does not take the device. In words, for status and errors. */
import { CLOSE, type RefusalCode } from '../../src/protocol/sync/index.ts';

/** Codes that a refusal has, and those that only a close code tells. */
export type ConnectionRefusal = RefusalCode | 'foreign-origin' | 'unknown-path' | 'hello-timeout' | 'refused';

const BY_CLOSE: ReadonlyMap<number, ConnectionRefusal> = new Map([
  [CLOSE.malformed, 'malformed'],
  [CLOSE.unauthorised, 'unauthorised'],
  [CLOSE.foreignOrigin, 'foreign-origin'],
  [CLOSE.unknownPath, 'unknown-path'],
  [CLOSE.version, 'client-too-old'],
  [CLOSE.helloTimeout, 'hello-timeout'],
  [CLOSE.tooLarge, 'too-large'],
  [CLOSE.invalidUpdate, 'invalid-update'],
]);

const REMEDIES: { readonly [code in ConnectionRefusal]?: string } = {
  malformed: 'Relay and application do not understand each other: one of them has a fault. Please report it.',
  'hello-expected': 'Relay and application do not understand each other: one of them has a fault. Please report it.',
  unauthorised: 'Let the option sync.token give a token that the relay accepts, then call store.sync.flush().',
  'client-too-old': 'Update the application: the relay no longer speaks its version.',
  'relay-too-old': 'Update the relay: the application speaks a newer version.',
  'unknown-store': "Give the store a name of letters, digits, '_', '.' and '-', which the relay serves.",
  'unknown-path': 'Check the url in the option sync.relays: there is no relay at this path.',
  'foreign-origin': "Add the page's origin to the relay's option origins.",
};

/** 4400 to 4499 end in the same way when they are tried again. */
export const isFinal = (closeCode: number): boolean => closeCode >= 4400 && closeCode <= 4499;

export const refusalOfClose = (closeCode: number): ConnectionRefusal => BY_CLOSE.get(closeCode) ?? 'refused';

export const remedyOf = (code: ConnectionRefusal): string =>
  REMEDIES[code] ?? 'Look at the text of the refusal, and call store.sync.flush() when its cause is gone.';
