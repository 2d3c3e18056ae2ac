/** Who may connect: whoever knows the relay's one secret. Rules by user and collection take its place later. */
import { createHash, timingSafeEqual } from 'node:crypto';

export type Authorise = (token: string) => boolean;

/** Without a secret everybody may. */
export function sharedSecret(secret: string | undefined): Authorise {
  if (secret === undefined) return () => true;
  const wanted = digest(secret);
  // Digests have one length, so the time tells nothing of the secret.
  return (token) => timingSafeEqual(digest(token), wanted);
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
