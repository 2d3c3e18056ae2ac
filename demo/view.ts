/** The page's elements: draws what it is given and reports what the user does. It knows nothing of the store. */
import type { Filter, Task, TaskPage } from './tasks.ts';

export interface Actions {
  add(title: string): void;
  rename(id: string, title: string): void;
  setDone(id: string, isDone: boolean): void;
  remove(id: string): void;
  showFilter(filter: Filter): void;
  showMore(): void;
  addMany(): void;
  verify(): void;
  clearDone(): void;
  clearAll(): void;
}

export type Fact = readonly [label: string, value: string];
export type Notice = { readonly message: string; readonly hint?: string | undefined };

const EMPTY_TEXTS: Readonly<Record<Filter, string>> = {
  all: 'No tasks yet. Add one above, or ten thousand at once.',
  open: 'Nothing left to do.',
  done: 'Nothing is done yet.',
};

const dates = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const numbers = new Intl.NumberFormat();

export class View {
  readonly #actions: Actions;
  readonly #itemsById = new Map<string, HTMLLIElement>();

  constructor(actions: Actions) {
    this.#actions = actions;
    const form = element('new-task', HTMLFormElement);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      actions.add(this.#title.value.trim());
    });
    for (const button of filterButtons()) {
      button.addEventListener('click', () => actions.showFilter(button.dataset['filter'] as Filter));
    }
    onClick('more', () => actions.showMore());
    onClick('add-many', () => actions.addMany());
    onClick('verify', () => actions.verify());
    onClick('clear-done', () => actions.clearDone());
    onClick('clear-all', () => actions.clearAll());
    onClick('notice-close', () => this.hideNotice());
  }

  clearTitle(): void {
    this.#title.value = '';
    this.#title.focus();
  }

  drawPage({ rows, counts }: TaskPage, filter: Filter): void {
    for (const button of filterButtons()) {
      button.setAttribute('aria-pressed', String(button.dataset['filter'] === filter));
    }
    for (const count of document.querySelectorAll<HTMLElement>('[data-count]')) {
      count.textContent = numbers.format(counts[count.dataset['count'] as Filter]);
    }
    this.#drawTasks(rows);
    const total = counts[filter];
    const empty = element('empty', HTMLElement);
    empty.hidden = total > 0;
    empty.textContent = EMPTY_TEXTS[filter];
    element('more', HTMLButtonElement).hidden = rows.length >= total;
    element('shown', HTMLElement).textContent =
      rows.length < total ? `${numbers.format(rows.length)} of ${numbers.format(total)} shown, newest first` : '';
    element('clear-done', HTMLButtonElement).disabled = counts.done === 0;
    element('clear-all', HTMLButtonElement).disabled = counts.all === 0;
  }

  drawStatus(state: string, text: string): void {
    const status = element('status', HTMLElement);
    status.dataset['state'] = state;
    status.textContent = text;
  }

  drawFacts(facts: readonly Fact[]): void {
    const rows = facts.map(([label, value]) => {
      const row = document.createElement('div');
      const term = document.createElement('dt');
      const description = document.createElement('dd');
      term.textContent = label;
      description.textContent = value;
      row.append(term, description);
      return row;
    });
    element('health', HTMLElement).replaceChildren(...rows);
  }

  drawResult(kind: 'busy' | 'done', text: string): void {
    const result = element('result', HTMLElement);
    result.dataset['kind'] = kind;
    result.textContent = text;
    for (const button of document.querySelectorAll<HTMLButtonElement>('.actions button')) {
      button.disabled = kind === 'busy';
    }
  }

  showNotice({ message, hint }: Notice): void {
    element('notice-message', HTMLElement).textContent = message;
    element('notice-hint', HTMLElement).textContent = hint ?? '';
    element('notice', HTMLElement).hidden = false;
  }

  hideNotice(): void {
    element('notice', HTMLElement).hidden = true;
  }

  get #title(): HTMLInputElement {
    return element('title', HTMLInputElement);
  }

  /** Keeps the element of a task that stays, so that focus and half-typed text survive a redraw. */
  #drawTasks(rows: readonly Task[]): void {
    const wanted = new Set(rows.map(({ id }) => id));
    for (const [id, item] of this.#itemsById) {
      if (wanted.has(id)) continue;
      item.remove();
      this.#itemsById.delete(id);
    }
    const list = element('tasks', HTMLUListElement);
    rows.forEach((task, position) => {
      const item = this.#itemsById.get(task.id) ?? this.#createItem(task.id);
      drawTask(item, task);
      if (list.children[position] !== item) list.insertBefore(item, list.children[position] ?? null);
    });
  }

  #createItem(id: string): HTMLLIElement {
    const template = element('task-template', HTMLTemplateElement);
    const item = (template.content.cloneNode(true) as DocumentFragment).querySelector('li');
    if (item === null) throw new Error('The template has no item.');
    const title = part(item, '.edit', HTMLInputElement);
    const done = part(item, '.done', HTMLInputElement);
    done.addEventListener('change', () => this.#actions.setDone(id, done.checked));
    // Not `change`: Firefox leaves it out when something else than a key press has set the text.
    title.addEventListener('blur', () => {
      const text = title.value.trim();
      if (text !== item.dataset['title']) this.#actions.rename(id, text);
    });
    title.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') title.value = item.dataset['title'] ?? '';
      if (event.key === 'Escape' || event.key === 'Enter') title.blur();
    });
    part(item, '.delete', HTMLButtonElement).addEventListener('click', () => this.#actions.remove(id));
    this.#itemsById.set(id, item);
    return item;
  }
}

function drawTask(item: HTMLLIElement, task: Task): void {
  item.dataset['status'] = task.status;
  item.dataset['title'] = task.title;
  const title = part(item, '.edit', HTMLInputElement);
  const done = part(item, '.done', HTMLInputElement);
  const created = part(item, '.created', HTMLTimeElement);
  if (document.activeElement !== title) title.value = task.title;
  done.checked = task.status === 'done';
  done.setAttribute('aria-label', `Done: ${task.title}`);
  created.dateTime = task.createdAt.toISOString();
  created.textContent = dates.format(task.createdAt);
  part(item, '.delete', HTMLButtonElement).setAttribute('aria-label', `Delete ${task.title}`);
}

type ElementClass<E extends Element> = abstract new () => E;

function element<E extends HTMLElement>(id: string, type: ElementClass<E>): E {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`The page has no element #${id} of the expected kind.`);
  return found;
}

function part<E extends Element>(parent: Element, selector: string, type: ElementClass<E>): E {
  const found = parent.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`The item has no ${selector} of the expected kind.`);
  return found;
}

function onClick(id: string, listener: () => void): void {
  element(id, HTMLButtonElement).addEventListener('click', listener);
}

function filterButtons(): readonly HTMLButtonElement[] {
  return [...document.querySelectorAll<HTMLButtonElement>('[data-filter]')];
}
