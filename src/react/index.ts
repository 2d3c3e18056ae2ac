/** `collection-store/react`. */
export type { LiveSource } from '../bindings/live-source.ts';
export type { DocumentState, QueryState } from '../bindings/query-state.ts';
export type { StatusSource } from '../bindings/status-source.ts';
export { useDocument, useQuery, useSuspenseQuery } from './use-query.ts';
export { useStatus } from './use-status.ts';
