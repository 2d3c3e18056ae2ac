/**
 * Matches a pattern in time proportional to the text: all ways to match are followed at once, as a set of places in the
 * pattern (Thompson's construction). Sets that have been met are kept as states with their transitions, so most
 * characters cost one look-up. Characters that no part of the pattern tells apart share a class.
 */
import { unreachable } from '../../../src/base/assert.ts';
import { StoreError } from '../../../src/base/store-error.ts';
import type { PatternNode } from './pattern-syntax.ts';

/** Most places in a pattern, after its counted repetitions have been written out: what one character may cost. */
export const PATTERN_PLACES_MAX = 500;
/** States that are kept; more empty the memory, and matching goes on. */
const STATES_MAX = 1_000;
/** Characters outside ASCII whose class is kept. */
const CLASSES_KEPT_MAX = 10_000;

type Place =
  | { readonly type: 'atom'; readonly atom: number }
  | { readonly type: 'assert'; readonly kind: 'start' | 'end' | 'boundary' | 'no-boundary' }
  /** Goes on in both places, given relative to this one. */
  | { readonly type: 'split'; first: number; second: number }
  | { readonly type: 'jump'; to: number }
  | { readonly type: 'match' };

/** What assertions ask of the character before and after a place. */
type Surrounding = 'edge' | 'line-break' | 'word' | 'other';

type CharacterClass = { readonly id: number; readonly atoms: readonly boolean[]; readonly surrounding: Surrounding };
type State = {
  readonly places: readonly number[];
  readonly before: Surrounding;
  readonly next: (State | undefined)[];
  matchesAtEnd: boolean | undefined;
};

const sentinel = (): State => ({ places: [], before: 'other', next: [], matchesAtEnd: undefined });
const MATCHED = sentinel();

export class PatternMachine {
  readonly #places: Place[] = [];
  readonly #atoms: RegExp[] = [];
  readonly #isUnicode: boolean;
  readonly #isMultiline: boolean;
  readonly #word: RegExp;
  /** A match can begin at the start only. */
  readonly #isAnchored: boolean;
  readonly #hasAssertions: boolean;
  readonly #classes: CharacterClass[] = [];
  readonly #classesBySignature: Map<string, CharacterClass> = new Map();
  readonly #asciiClasses: Int16Array = new Int16Array(128).fill(-1);
  readonly #otherClasses: Map<number, number> = new Map();
  readonly #states: Map<string, State> = new Map();
  readonly #start: State;

  constructor(tree: PatternNode, flags: string, at: string) {
    this.#isUnicode = flags.includes('u');
    this.#isMultiline = flags.includes('m');
    const atomFlags = flags.replace('m', '');
    this.#word = new RegExp('^\\w$', atomFlags);
    this.#emit(tree, atomFlags, new Map(), at);
    this.#places.push({ type: 'match' });
    const isStart = (node: PatternNode | undefined): boolean => node?.type === 'assert' && node.kind === 'start';
    this.#isAnchored = !this.#isMultiline && (isStart(tree) || (tree.type === 'sequence' && isStart(tree.of[0])));
    this.#hasAssertions = this.#places.some(({ type }) => type === 'assert');
    this.#start = { places: [0], before: 'edge', next: [], matchesAtEnd: undefined };
  }

  test(text: string): boolean {
    let state = this.#start;
    const { length } = text;
    for (let at = 0; at < length; at += 1) {
      const code = this.#isUnicode ? text.codePointAt(at)! : text.charCodeAt(at);
      if (code > 0xffff) at += 1;
      let id = code < 128 ? this.#asciiClasses[code]! : (this.#otherClasses.get(code) ?? -1);
      if (id < 0) id = this.#classify(code);
      state = state.next[id] ?? this.#step(state, id);
      if (state === MATCHED) return true;
      if (this.#isAnchored && state.places.length === 0) return false;
    }
    state.matchesAtEnd ??= this.#reached(state, 'edge') === undefined;
    return state.matchesAtEnd;
  }

  #emit(node: PatternNode, flags: string, atomsBySource: Map<string, number>, at: string): void {
    if (this.#places.length > PATTERN_PLACES_MAX) throw tooComplex(at);
    const emit = (each: PatternNode): void => this.#emit(each, flags, atomsBySource, at);
    switch (node.type) {
      case 'atom': {
        let atom = atomsBySource.get(node.source);
        if (atom === undefined) {
          atom = this.#atoms.push(new RegExp(`^${node.source}$`, flags)) - 1;
          atomsBySource.set(node.source, atom);
        }
        this.#places.push({ type: 'atom', atom });
        return;
      }
      case 'assert':
        this.#places.push(node);
        return;
      case 'sequence':
        return node.of.forEach(emit);
      case 'choice': {
        const jumps: { type: 'jump'; to: number }[] = [];
        for (const [index, each] of node.of.entries()) {
          const isLast = index === node.of.length - 1;
          const split = { type: 'split' as const, first: this.#places.length + 1, second: 0 };
          if (!isLast) this.#places.push(split);
          emit(each);
          if (isLast) continue;
          const jump = { type: 'jump' as const, to: 0 };
          jumps.push(jump);
          this.#places.push(jump);
          split.second = this.#places.length;
        }
        for (const jump of jumps) jump.to = this.#places.length;
        return;
      }
      case 'repeat': {
        // Repeating what can be empty adds nothing but time.
        for (let times = 0; times < node.min; times += 1) {
          const before = this.#places.length;
          emit(node.of);
          if (this.#places.length === before) return;
        }
        const hasEnd = Number.isFinite(node.max);
        const splits: { type: 'split'; first: number; second: number }[] = [];
        for (let times = node.min; times < (hasEnd ? node.max : node.min + 1); times += 1) {
          const split = { type: 'split' as const, first: this.#places.length + 1, second: 0 };
          splits.push(split);
          this.#places.push(split);
          emit(node.of);
          if (!hasEnd) this.#places.push({ type: 'jump', to: split.first - 1 });
        }
        for (const split of splits) split.second = this.#places.length;
        return;
      }
      default:
        return unreachable(node);
    }
  }

  #classify(code: number): number {
    const character = this.#isUnicode ? String.fromCodePoint(code) : String.fromCharCode(code);
    const atoms = this.#atoms.map((atom) => atom.test(character));
    const surrounding = this.#hasAssertions ? this.#surroundingOf(character) : 'other';
    const signature = `${surrounding} ${atoms.map(Number).join('')}`;
    let found = this.#classesBySignature.get(signature);
    if (found === undefined) {
      found = { id: this.#classes.length, atoms, surrounding };
      this.#classes.push(found);
      this.#classesBySignature.set(signature, found);
    }
    if (code < 128) this.#asciiClasses[code] = found.id;
    else {
      if (this.#otherClasses.size >= CLASSES_KEPT_MAX) this.#otherClasses.clear();
      this.#otherClasses.set(code, found.id);
    }
    return found.id;
  }

  #surroundingOf(character: string): Surrounding {
    if (/[\n\r\u2028\u2029]/.test(character)) return 'line-break';
    return this.#word.test(character) ? 'word' : 'other';
  }

  #step(from: State, id: number): State {
    const { atoms, surrounding } = this.#classes[id]!;
    const reached = this.#reached(from, surrounding);
    if (reached === undefined) {
      from.next[id] = MATCHED;
      return MATCHED;
    }
    const places = this.#isAnchored ? [] : [0];
    for (const at of reached) {
      const place = this.#places[at]!;
      if (place.type === 'atom' && atoms[place.atom]) places.push(at + 1);
    }
    places.sort((a, b) => a - b);
    const to = this.#stateOf(places, surrounding);
    from.next[id] = to;
    return to;
  }

  #stateOf(places: readonly number[], before: Surrounding): State {
    const key = `${before} ${places.join()}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    if (this.#states.size >= STATES_MAX) {
      // States still in use keep their transitions until the text has been read.
      for (const each of this.#states.values()) each.next.length = 0;
      this.#start.next.length = 0;
      this.#states.clear();
    }
    const state: State = { places, before, next: [], matchesAtEnd: undefined };
    this.#states.set(key, state);
    return state;
  }

  /** All places that are reached without a character; undefined when one of them is a match. */
  #reached({ places, before }: State, after: Surrounding): readonly number[] | undefined {
    const seen = new Set<number>();
    const open = [...places];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      const place = this.#places[at]!;
      if (place.type === 'match') return undefined;
      if (place.type === 'split') open.push(place.first, place.second);
      else if (place.type === 'jump') open.push(place.to);
      else if (place.type === 'assert' && this.#holds(place.kind, before, after)) open.push(at + 1);
    }
    return [...seen];
  }

  #holds(kind: 'start' | 'end' | 'boundary' | 'no-boundary', before: Surrounding, after: Surrounding): boolean {
    switch (kind) {
      case 'start':
        return before === 'edge' || (this.#isMultiline && before === 'line-break');
      case 'end':
        return after === 'edge' || (this.#isMultiline && after === 'line-break');
      default:
        return ((before === 'word') !== (after === 'word')) === (kind === 'boundary');
    }
  }
}

const tooComplex = (at: string): StoreError =>
  new StoreError('query/unsupported-pattern', `The pattern at ${at} has more than ${PATTERN_PLACES_MAX} places.`, {
    details: { path: at, limit: PATTERN_PLACES_MAX },
    hint: 'Counted repetitions are written out. Use smaller counts.',
  });
