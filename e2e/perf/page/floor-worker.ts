/** A worker that does nothing but what every write of a store in a worker has to do: answer, or add one record and answer. */
const RECORD_BYTES = 256;

type Ask = 'hop' | 'append';
const page: { postMessage(message: unknown): void; onmessage: unknown } = self as unknown as {
  postMessage(message: unknown): void;
  onmessage: unknown;
};

const opening: Promise<IDBDatabase> = new Promise<IDBDatabase>((resolve, reject) => {
  const request = indexedDB.open('floor-log', 1);
  request.onupgradeneeded = () => void request.result.createObjectStore('log');
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

opening.then((database) => {
  let lsn = 0;
  page.onmessage = ({ data }: MessageEvent<Ask>) => {
    if (data === 'hop') return page.postMessage('done');
    const transaction = database.transaction('log', 'readwrite', { durability: 'relaxed' });
    transaction.oncomplete = () => page.postMessage('done');
    transaction.onabort = () => page.postMessage(String(transaction.error));
    transaction.objectStore('log').add(new ArrayBuffer(RECORD_BYTES), ++lsn);
    transaction.commit();
  };
  page.postMessage('ready');
});
