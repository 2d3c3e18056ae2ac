/** Goal: a platform without IndexedDB is an error by name. Method: Node, which has none. */
import { expect, test } from 'vitest';
import { openIdbStorage } from '../../worker/storage/index.ts';
import { startTestTimer } from '../fakes/idb-home.ts';

test('[B10] a platform without IndexedDB is refused, with a hint', async () => {
  const opening = openIdbStorage({ name: 'none', startTimer: startTestTimer });
  await expect(opening).rejects.toMatchObject({ code: 'storage/open-failed', hint: expect.any(String) as string });
});
