/** What a type of field does to a row document. A field with a type has a root type of the document for itself. */
import type { Doc } from 'yjs';

export interface FieldKind {
  /** Whether nothing is in the field. */
  isEmpty(doc: Doc, name: string): boolean;
  /** The same on every device that has the same document. */
  read(doc: Doc, name: string): unknown;
  /** Changes what differs, and nothing else. Within a transaction of the document, with a value that fits. */
  write(doc: Doc, name: string, value: unknown): void;
  /** Takes away what this device knows of. What another one adds meanwhile stays. */
  clear(doc: Doc, name: string): void;
}
