/** The migrations of a store: of collections that cannot be used yet, and of those that could not be when it was opened. */
import { StoreError } from '../../src/base/store-error.ts';
import type { CollectionSpec } from '../../src/protocol/definition.ts';
import type { MigrateRows, Migration as MigrationInfo } from '../../src/protocol/engine-api.ts';
import { needsMigration } from './catalogue-plan.ts';
import { Migration, type MigrationContext } from './migration.ts';

type Listener = (migrations: readonly MigrationInfo[]) => void;

export class Migrations {
  readonly #context: MigrationContext;
  #all: readonly Migration[] = [];
  readonly #unfinished: Map<string, Migration> = new Map();
  readonly #listeners: Set<Listener> = new Set();

  constructor(context: Omit<MigrationContext, 'onChange'>) {
    this.#context = {
      ...context,
      onChange: () => {
        const { info } = this;
        for (const listener of this.#listeners) listener(info);
      },
      onDone: (collection) => {
        this.#unfinished.delete(collection.spec.name);
        context.onDone(collection);
      },
    };
  }

  /** After the catalogue has everything else that the application defines. Reads and writes nothing. */
  prepare(specs: readonly CollectionSpec[]): void {
    for (const spec of specs) {
      const collection = this.#context.state.must(spec.name);
      if (needsMigration(collection, spec)) {
        this.#unfinished.set(spec.name, new Migration(this.#context, collection, spec));
      }
    }
    this.#all = [...this.#unfinished.values()];
  }

  /** Whether the collection can be used. */
  isDone(name: string): boolean {
    return !this.#unfinished.has(name);
  }

  assertDone(name: string): void {
    const migration = this.#unfinished.get(name);
    if (migration === undefined) return;
    const { from, to, done, total } = migration.info;
    throw new StoreError(
      'collection/migrating',
      `Collection ${name} is brought from version ${from} to ${to}: ${done} of ${total} documents are done.`,
      { details: { collection: name, from, to, done, total }, hint: 'Await migrate() of the collection first.' },
    );
  }

  whenDone(name: string): Promise<void> | undefined {
    return this.#unfinished.get(name)?.whenDone();
  }

  offer(name: string, run: MigrateRows): Promise<void> {
    return this.#unfinished.get(name)?.offer(run) ?? Promise.resolve();
  }

  get info(): readonly MigrationInfo[] {
    return this.#all.map(({ info }) => info);
  }

  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    listener(this.info);
    return () => void this.#listeners.delete(listener);
  }
}
