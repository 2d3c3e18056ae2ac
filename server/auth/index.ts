/** Who may connect. */
export { type Authorise, sharedSecret } from './shared-secret.ts';
