/**
 * A row as a Yjs document (FORMAT.md): what devices exchange, and what merges their changes. A change is the difference
 * between the document and the row that it is to hold, so of two devices that change different fields both are right,
 * and fields with a type merge what is in them. Rows are read from their documents here only; whoever asks a collection
 * reads the row that is stored beside.
 */
import {
  applyUpdate,
  Doc,
  decodeStateVector,
  encodeStateAsUpdate,
  encodeStateVectorFromUpdate,
  type Map as YMap,
} from 'yjs';
import { assertRow } from '../../src/base/codec/index.ts';
import type { Key, Row } from '../../src/base/row.ts';
import { fitProblem } from '../../src/protocol/field-fit.ts';
import { type FieldType, type FieldTypes, PLAIN_FIELDS } from '../../src/protocol/field-types.ts';
import type { RowName } from '../../src/protocol/sync/index.ts';
import { counterField } from './counter-field.ts';
import type { FieldKind } from './field-kind.ts';
import { DELETED, nameOf, PRESENT, storedName, TIME, timeName } from './field-names.ts';
import { listField } from './list-field.ts';
import { mapField } from './map-field.ts';
import { setField } from './set-field.ts';
import { textField } from './text-field.ts';
import { assertCarries, unfit } from './unfit.ts';
import { type Carried, carry, isSame, uncarry } from './value-encoding.ts';

const KINDS: { readonly [Type in FieldType]: FieldKind } = {
  text: textField,
  list: listField,
  counter: counterField,
  set: setField,
  map: mapField,
};

/** The root map of plain fields. Permanent, as all names here. */
const FIELDS: string = PLAIN_FIELDS;
/** While updates are read: Yjs takes a new client id when its own comes in from outside. No writer has this one. */
const NOBODY = -1;

/** Of changes, with the times that they get (worker/sync/hybrid-clock.ts). */
export type ChangeTimes = {
  /** Whether changes of a field get times. The row has one as soon as any field has. */
  readonly isTimed: (field: string) => boolean;
  /** Of what this call changes. */
  readonly now: number;
  /** Of fields that get a value which was written at another time. */
  readonly byField?: ReadonlyMap<string, number>;
};

export class RowDocument {
  readonly #guid: string;
  #doc!: Doc;
  #fields!: YMap<unknown>;
  /** Fields with a type were looked at: Yjs knows now what their roots are. */
  #isTyped = false;
  readonly #types: FieldTypes;
  readonly #clientId: number;
  readonly #key: Key;
  readonly #keyField: string | undefined;

  /**
   * `keyField`: where rows have their key. `clientId`: of this run of the engine, with which nobody else writes. `state`:
   * what `state` was; absent for a row that has never been. The types were accepted by `assertFieldTypes`.
   */
  constructor(options: {
    readonly name: RowName;
    readonly types: FieldTypes;
    readonly clientId: number;
    readonly keyField?: string | undefined;
    readonly state?: Uint8Array | undefined;
  }) {
    this.#key = options.name.key;
    this.#keyField = options.keyField;
    this.#guid = JSON.stringify([options.name.collection, options.name.key]);
    this.#clientId = options.clientId;
    this.#types = options.types;
    this.#open();
    if (options.state !== undefined) this.apply(options.state);
  }

  #open(): void {
    // With a guid: without one, Yjs draws a random UUID, which takes twenty times as long as the rest.
    this.#doc = new Doc({ guid: this.#guid });
    this.#doc.clientID = this.#clientId;
    this.#fields = this.#doc.getMap(FIELDS);
    this.#isTyped = false;
  }

  /** All that is known of the row, as one Yjs update (version 1). The same for equal histories, not for equal rows. */
  get state(): Uint8Array {
    return encodeStateAsUpdate(this.#doc);
  }

  /**
   * The row, or undefined when it was deleted or has never been. Throws what `assertRow` throws when another client of
   * the document has made something of it that is no row.
   */
  get row(): Row | undefined {
    if (this.#fields.get(DELETED) === true) return undefined;
    const row: Record<string, unknown> = {};
    for (const [stored, value] of this.#fields) {
      const field = nameOf(stored);
      // A shared type that a client has put there is read as what it looks like.
      if (field !== undefined) row[field] = uncarry(isShared(value) ? value.toJSON() : value);
    }
    this.#isTyped = true;
    for (const [field, type] of Object.entries(this.#types)) {
      const kind = KINDS[type];
      const isThere = this.#fields.has(PRESENT + field) || !kind.isEmpty(this.#doc, field);
      if (isThere) row[field] = kind.read(this.#doc, field);
    }
    if (Object.keys(row).length === 0) return undefined;
    // Another program may have written another one, or none: a row is the one that its document is named after.
    if (this.#keyField !== undefined) row[this.#keyField] = this.#key;
    assertRow(row, 0);
    return row;
  }

  /** When a field, or without one the row, was changed last; 0 when that was not told. */
  timeOf(field?: string): number {
    const own = field === undefined ? undefined : this.#fields.get(timeName(field));
    const time = own ?? this.#fields.get(TIME);
    return typeof time === 'number' ? time : 0;
  }

  /** The latest time in the document. */
  get latestTime(): number {
    let latest = 0;
    for (const [stored, time] of this.#fields) {
      if (stored.startsWith(TIME) && typeof time === 'number' && time > latest) latest = time;
    }
    return latest;
  }

  /** Whether nothing is missing of what the updates build on. */
  get isComplete(): boolean {
    return this.#doc.store.pendingStructs === null && this.#doc.store.pendingDs === null;
  }

  /**
   * Changes the document where it differs from a row, which undefined deletes. Answers the change as a Yjs update, or
   * undefined when there is none. Afterwards `row` is the row as all devices will read it: sets are sorted, and sums of
   * fractions are what they are. Throws `sync/unfit-value` for a value that its field cannot hold, and changes nothing.
   */
  put(row: Row | undefined, times?: ChangeTimes): Uint8Array | undefined {
    if (row !== undefined) this.#check(row);
    this.#isTyped = true;
    let update: Uint8Array | undefined;
    const take = (made: Uint8Array): void => {
      update = made;
    };
    this.#doc.on('update', take);
    try {
      this.#doc.transact(() => (row === undefined ? this.#delete(times) : this.#write(row, times)));
    } finally {
      this.#doc.off('update', take);
    }
    return update;
  }

  /** Merges an update of another device, which `checkUpdate` has accepted. Updates may come in any order, and again. */
  apply(update: Uint8Array): void {
    // From a text that Yjs knows to be one it takes formats away that an update has made useless: a change of its own,
    // in a state that only this device would have. Editors do so, and tell others of it.
    if (this.#isTyped && Object.values(this.#types).includes('text')) {
      const { state } = this;
      this.#open();
      this.apply(state);
    }
    this.#doc.clientID = NOBODY;
    try {
      applyUpdate(this.#doc, update);
    } finally {
      this.#doc.clientID = this.#clientId;
    }
  }

  #write(row: Row, times: ChangeTimes | undefined): void {
    const fields = this.#fields;
    const isNew = fields.has(DELETED) || fields.size === 0;
    if (fields.has(DELETED)) fields.delete(DELETED);
    if (isNew && times !== undefined) fields.set(TIME, times.now);
    const note = (field: string): void => {
      if (times === undefined || isNew || !times.isTimed(field)) return;
      fields.set(timeName(field), times.byField?.get(field) ?? times.now);
    };
    for (const stored of [...fields.keys()]) {
      const field = nameOf(stored);
      if (field === undefined || (row[field] !== undefined && this.#kindOf(field) === undefined)) continue;
      fields.delete(stored);
      note(field);
    }
    for (const field of Object.keys(row)) {
      if (row[field] === undefined || this.#kindOf(field) !== undefined) continue;
      const stored = storedName(field);
      const value = carry(row[field]);
      if (!fields.has(stored) || !isSame(fields.get(stored) as Carried, value)) {
        fields.set(stored, value);
        note(field);
      }
    }
    for (const [field, time] of times?.byField ?? []) {
      if (this.timeOf(field) !== time) fields.set(timeName(field), time);
    }
    for (const [field, type] of Object.entries(this.#types)) {
      const value = row[field];
      if (value === undefined) this.#clear(field, KINDS[type]);
      else {
        if (!fields.has(PRESENT + field)) fields.set(PRESENT + field, true);
        KINDS[type].write(this.#doc, field, value);
      }
    }
  }

  /** Its fields go, to give their space back; what another device writes meanwhile waits for a row of that key. */
  #delete(times: ChangeTimes | undefined): void {
    for (const stored of [...this.#fields.keys()]) {
      if (nameOf(stored) !== undefined || stored.startsWith(timeName(''))) this.#fields.delete(stored);
    }
    if (times !== undefined && this.#fields.get(DELETED) !== true) this.#fields.set(TIME, times.now);
    for (const [field, type] of Object.entries(this.#types)) this.#clear(field, KINDS[type]);
    if (this.#fields.get(DELETED) !== true) this.#fields.set(DELETED, true);
  }

  #clear(field: string, kind: FieldKind): void {
    if (this.#fields.has(PRESENT + field)) this.#fields.delete(PRESENT + field);
    if (!kind.isEmpty(this.#doc, field)) kind.clear(this.#doc, field);
  }

  #kindOf(field: string): FieldKind | undefined {
    return Object.hasOwn(this.#types, field) ? KINDS[this.#types[field]!] : undefined;
  }

  #check(row: Row): void {
    for (const field of Object.keys(row)) {
      const value = row[field];
      if (value === undefined) continue;
      const type = this.#kindOf(field) && this.#types[field]!;
      const problem = type && fitProblem(type, value);
      if (problem !== undefined) throw unfit(field, problem, type);
      assertCarries(field, value);
    }
  }
}

/** How much of what a writer has written is in a state. */
export function clockOf(state: Uint8Array, clientId: number): number {
  return decodeStateVector(encodeStateVectorFromUpdate(state)).get(clientId) ?? 0;
}

const isShared = (value: unknown): value is { toJSON(): unknown } =>
  typeof value === 'object' && value !== null && '_item' in value && 'toJSON' in value;
