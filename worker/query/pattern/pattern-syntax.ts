/**
 * The structure of a pattern: sequences, choices, repetitions, assertions. What one character may be (a letter, a class,
 * an escape) is not understood here: its text is kept, and the browser's own RegExp answers for it, character by
 * character. So folding of case, classes and Unicode properties are exactly JavaScript's.
 *
 * The source has been accepted by `new RegExp`, so it is well formed.
 */
import { StoreError } from '../../../src/base/store-error.ts';

export type PatternNode =
  /** One character. `literal` is set when it stands for itself. */
  | { readonly type: 'atom'; readonly source: string; readonly literal: string | undefined }
  | { readonly type: 'assert'; readonly kind: 'start' | 'end' | 'boundary' | 'no-boundary' }
  | { readonly type: 'sequence'; readonly of: readonly PatternNode[] }
  | { readonly type: 'choice'; readonly of: readonly PatternNode[] }
  | { readonly type: 'repeat'; readonly of: PatternNode; readonly min: number; readonly max: number };

/** Throws `query/unsupported-pattern` for look-around, back-references and other things that have no automaton. */
export function parsePatternSource(source: string, flags: string, at: string): PatternNode {
  return new PatternParser(source, flags.includes('u'), at).parse();
}

class PatternParser {
  readonly #source: string;
  readonly #isUnicode: boolean;
  readonly #at: string;
  #next = 0;

  constructor(source: string, isUnicode: boolean, at: string) {
    this.#source = source;
    this.#isUnicode = isUnicode;
    this.#at = at;
  }

  parse(): PatternNode {
    const choices: PatternNode[] = [];
    for (;;) {
      choices.push(this.#sequence());
      if (this.#source[this.#next] !== '|') break;
      this.#next += 1;
    }
    return choices.length === 1 ? choices[0]! : { type: 'choice', of: choices };
  }

  #sequence(): PatternNode {
    const of: PatternNode[] = [];
    for (;;) {
      const character = this.#source[this.#next];
      if (character === undefined || character === '|' || character === ')') break;
      of.push(this.#quantified(this.#item(character)));
    }
    return of.length === 1 ? of[0]! : { type: 'sequence', of };
  }

  #item(character: string): PatternNode {
    switch (character) {
      case '(':
        return this.#group();
      case '^':
        this.#next += 1;
        return { type: 'assert', kind: 'start' };
      case '$':
        this.#next += 1;
        return { type: 'assert', kind: 'end' };
      case '\\':
        return this.#escape();
      case '[':
        return this.#atom(this.#classLength());
      case '.':
        return this.#atom(1);
      default: {
        const literal = this.#isUnicode ? String.fromCodePoint(this.#source.codePointAt(this.#next)!) : character;
        return this.#atom(literal.length, literal);
      }
    }
  }

  #atom(length: number, literal?: string): PatternNode {
    const source = this.#source.slice(this.#next, this.#next + length);
    this.#next += length;
    return { type: 'atom', source, literal };
  }

  #group(): PatternNode {
    const [opening = '', kind = ''] = this.#match(/\((?:\?(:|<(?![=!])[^>]*>|.{1,2}))?/y);
    if (kind !== '' && kind !== ':' && !/^<[^=!]/.test(kind))
      this.#refuse(`(?${kind}`, 'looks around or changes flags');
    this.#next += opening.length;
    const inside = this.parse();
    this.#next += 1;
    return inside;
  }

  #escape(): PatternNode {
    const [text = ''] = this.#isUnicode
      ? this.#match(/\\(?:u\{[^}]*\}|u[dD][89abAB]..\\u[dD][c-fC-F]..|[pP]\{[^}]*\}|u....|x..|c.|.)/suy)
      : this.#match(/\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|0(?!\d)|.)/sy);
    const letter = text[1]!;
    if (letter === 'b' || letter === 'B') {
      this.#next += text.length;
      return { type: 'assert', kind: letter === 'b' ? 'boundary' : 'no-boundary' };
    }
    const isOctal = letter === '0' && /^\\0\d/.test(this.#source.slice(this.#next, this.#next + 3));
    if (/[1-9k]/.test(letter) || isOctal) this.#refuse(text, 'refers back');
    if (letter === 'c' && text.length === 2) this.#refuse(text, 'is no escape');
    return this.#atom(text.length, /^[^\w\s]$/.test(letter) ? letter : undefined);
  }

  #classLength(): number {
    const [text = ''] = this.#match(/\[(?:\\.|[^\]\\])*\]/sy);
    return text.length;
  }

  #quantified(of: PatternNode): PatternNode {
    const [quantifier, sign, min, comma, max] = this.#match(/(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/y);
    if (quantifier === undefined) return of;
    this.#next += quantifier.length;
    if (sign !== undefined)
      return { type: 'repeat', of, min: sign === '+' ? 1 : 0, max: sign === '?' ? 1 : Number.POSITIVE_INFINITY };
    const least = Number(min);
    if (comma === undefined) return { type: 'repeat', of, min: least, max: least };
    return { type: 'repeat', of, min: least, max: max === '' ? Number.POSITIVE_INFINITY : Number(max) };
  }

  #match(expression: RegExp): readonly (string | undefined)[] {
    expression.lastIndex = this.#next;
    return expression.exec(this.#source) ?? [];
  }

  #refuse(part: string, rule: string): never {
    throw new StoreError('query/unsupported-pattern', `The pattern at ${this.#at}: ${part} ${rule}.`, {
      details: { path: this.#at, part, position: this.#next, pattern: this.#source },
      hint: 'Patterns are matched in linear time, so look-around and back-references are not available.',
    });
  }
}
