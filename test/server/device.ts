/** A device that speaks the relay's protocol byte by byte. */
import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import {
  type ClientMessage,
  decodeRelayMessage,
  encodeMessage,
  type RelayMessage,
  type RowChange,
} from '../../src/protocol/sync/index.ts';

/** Beyond what a flush takes on a machine that is busy with other things. */
const WAIT_MS = 30_000;

export type DeviceOptions = {
  readonly store?: string;
  readonly token?: string;
  readonly greets?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
};

type Kind = RelayMessage['type'];
type Of<K extends Kind> = Extract<RelayMessage, { readonly type: K }>;

export type Device = {
  readonly socket: WebSocket;
  readonly writer: string;
  readonly frames: Uint8Array[];
  send(message: Exclude<ClientMessage, { readonly type: 'foreign-hello' }>): void;
  sendBytes(bytes: Uint8Array): void;
  /** The next message of a kind that was not taken yet; others stay. */
  next<K extends Kind>(kind: K): Promise<Of<K>>;
  /** Messages of a kind that have come and were not taken. */
  waiting<K extends Kind>(kind: K): readonly Of<K>[];
  /** Pushes a batch, and answers its acknowledgement. */
  push(sequence: number, changes: readonly RowChange[]): Promise<{ readonly logSequence: number }>;
  closed(): Promise<{ readonly code: number; readonly reason: string }>;
  end(): void;
};

export async function openDevice(url: string, options: DeviceOptions = {}): Promise<Device> {
  const { store = 'app', token = '', greets = true, headers = {} } = options;
  const socket = new WebSocket(`${url}/sync/${store}`, { headers });
  const messages: RelayMessage[] = [];
  const frames: Uint8Array[] = [];
  const waiters = new Set<() => void>();
  let isWelcome = false;
  let closedWith: { code: number; reason: string } | undefined;
  const wake = (): void => {
    for (const waiter of waiters) waiter();
  };
  socket.on('error', () => {});
  socket.on('message', (data: Buffer) => {
    if (data[0]! >= 100) messages.push(decodeRelayMessage(new Uint8Array(data)));
    else frames.push(new Uint8Array(data));
    isWelcome ||= messages.at(-1)?.type === 'welcome';
    wake();
  });
  socket.on('close', (code, reason) => {
    closedWith = { code, reason: String(reason) };
    wake();
  });
  const until = <T>(find: () => T | undefined, what: string): Promise<T> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiters.delete(look);
        const seen = JSON.stringify([closedWith, messages.slice(-3)], (_, value) =>
          value instanceof Uint8Array ? value.length : value,
        );
        reject(new Error(`Waited in vain for ${what}; there is ${seen}.`));
      }, WAIT_MS);
      const look = (): void => {
        const found = find();
        if (found === undefined) return;
        clearTimeout(timer);
        waiters.delete(look);
        resolve(found);
      };
      waiters.add(look);
      look();
    });
  const device: Device = {
    socket,
    writer: randomBytes(16).toString('hex'),
    frames,
    send: (message) => socket.send(encodeMessage(message)),
    sendBytes: (bytes) => socket.send(bytes),
    next: <K extends Kind>(kind: K) =>
      until<Of<K>>(() => {
        const at = messages.findIndex(({ type }) => type === kind);
        return at === -1 ? undefined : (messages.splice(at, 1)[0] as Of<K>);
      }, kind),
    waiting: <K extends Kind>(kind: K) => messages.filter(({ type }) => type === kind) as Of<K>[],
    async push(sequence, changes) {
      const { writer } = device;
      // Before the welcome only a hello may be sent.
      await until(() => isWelcome || undefined, 'the welcome');
      device.send({ type: 'push', writer, sequence, hasMore: false, changes });
      return until(() => {
        for (const message of messages) {
          if (message.type !== 'ack') continue;
          const ack = message.acks.find((one) => one.writer === writer && one.sequence === sequence);
          if (ack !== undefined) return ack;
        }
        return undefined;
      }, `the acknowledgement of batch ${sequence}`);
    },
    closed: () => until(() => closedWith, 'the close'),
    end: () => socket.terminate(),
  };
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  if (!greets) return device;
  device.send({ type: 'hello', versionMin: 1, versionMax: 1, store, token, epoch: '' });
  return device;
}

let nextClient = 1000;

/** A change that sets fields of a row, as a device would make it. */
export function setFields(
  key: string | number,
  fields: Readonly<Record<string, unknown>>,
  collection = 'tasks',
): RowChange {
  const doc = new Y.Doc({ guid: 'row' });
  doc.clientID = nextClient++;
  doc.transact(() => {
    for (const [field, value] of Object.entries(fields)) doc.getMap('fields').set(field, value);
  });
  return { collection, key, update: Y.encodeStateAsUpdate(doc) };
}

export function fieldsOf(updates: readonly Uint8Array[]): unknown {
  const doc = new Y.Doc({ guid: 'row' });
  for (const update of updates) Y.applyUpdate(doc, update);
  return doc.getMap('fields').toJSON();
}
