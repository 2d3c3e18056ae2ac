/** React roots in a real page that end with their test. */
import { Component, createElement as h, type ReactNode, StrictMode } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, expect } from 'vitest';
import { createPlace } from '../bindings/store-fixture.ts';

const roots: Root[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) root.unmount();
});

export type Page = {
  readonly place: HTMLElement;
  render(node: ReactNode): void;
  unmount(): void;
  /** Waits until the page shows exactly this text. */
  shows(text: string): Promise<void>;
};

/** What is rendered is under StrictMode. */
export function createPage(): Page {
  const place = createPlace();
  const root = createRoot(place, { onCaughtError: () => {} });
  roots.push(root);
  return {
    place,
    render: (node) => root.render(h(StrictMode, null, node)),
    unmount: () => root.unmount(),
    shows: (text) => expect.poll(() => place.textContent, { timeout: 10_000, interval: 10 }).toBe(text),
  };
}

type BoundaryProps = { readonly children?: ReactNode };

/** Shows the code of an error in place of its children, until it is rendered with another `key`. */
export class Boundary extends Component<BoundaryProps, { readonly error?: { readonly code?: string } }> {
  override state: { readonly error?: { readonly code?: string } } = {};
  static getDerivedStateFromError(error: { readonly code?: string }): { error: { readonly code?: string } } {
    return { error };
  }
  override render(): ReactNode {
    return this.state.error === undefined ? this.props.children : `error ${this.state.error.code}`;
  }
}
