/** What somebody misses of a state, without opening it. */
import { diffUpdate, encodeStateVectorFromUpdate } from 'yjs';

/** What of a state is behind a state vector, as an update. All deletions are in it. */
export const missingFrom = (state: Uint8Array, vector: Uint8Array): Uint8Array => diffUpdate(state, vector);

export const stateVectorOf = (state: Uint8Array): Uint8Array => encodeStateVectorFromUpdate(state);
