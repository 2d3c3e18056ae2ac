export {
  CollectionState,
  duplicateValue,
  type MigrationMark,
  ownerOf,
  primaryKind,
  type StoredRow,
  sortEntries,
  weighRow,
} from './collection-state.ts';
export { columnEntries } from './column-entries.ts';
export { type FieldReader, fieldReader, meetsArray, valuesAt } from './field-path.ts';
export { entryList, type IndexEntries, IndexState } from './index-state.ts';
export {
  COMPONENT_END,
  decodePrimaryKey,
  encodeComponent,
  encodePrimaryKey,
  foldCase,
  INDEX_KEY_LENGTH_MAX,
  primaryKeyOfIndexKey,
  upperBound,
} from './key-encoding.ts';
