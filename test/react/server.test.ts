/** Goal: a page that is made on a server, where no store is, waits for the browser. Method: React's own server renderer. */
import { createElement as h, Suspense } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, test } from 'vitest';
import type { LiveSource } from '../../src/bindings/live-source.ts';
import { useQuery } from '../../src/react/index.ts';
import { ScriptedSource } from '../bindings/scripted-source.ts';

test('[BIND-1] [BIND-2] a server shows `loading`, and asks nothing', () => {
  const source = new ScriptedSource<string>();
  const List = ({ query }: { readonly query: LiveSource<string> | undefined }) => {
    const { status, rows } = useQuery(() => query, [query]);
    return h('p', null, `${status} ${rows.length}`);
  };
  const page = h(Suspense, { fallback: 'waiting' }, h(List, { query: source }), h(List, { query: undefined }));
  expect(renderToString(page)).toContain('<p>loading 0</p><p>loading 0</p>');
  expect(source.opened).toBe(0);
});
