/** What concerns HTTP around the relay's sockets. */
export { isOriginAllowed } from './origin.ts';
