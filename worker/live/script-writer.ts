/** Writes a step of a live query as it goes on (see Script). */
import { KEEP, type Script } from '../../src/protocol/live.ts';

export class ScriptWriter {
  readonly #script: number[] = [];

  /** One more of a kind: in the four numbers at the end if they are not past it, else in new ones. */
  note(step: number): void {
    const script = this.#script;
    while (script.length === 0 || this.#last !== step) script.push(0);
    script[script.length - 1]! += 1;
  }

  /** What stays at the end goes without saying. */
  finish(): Script {
    const script = this.#script;
    if (this.#last === KEEP) script.pop();
    while (script.length % 4 > 0) script.push(0);
    return script;
  }

  get #last(): number {
    return (this.#script.length - 1) % 4;
  }
}
