/** Yjs on the relay's side. The only layer that imports it. */
export { condensed, type Folded, foldRow, LiveDocument } from './row-document.ts';
