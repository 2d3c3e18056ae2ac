/**
 * `store.sync.presence`: who else is here. Each tab is one participant. Tabs of a device hear of each other on the
 * channel of the store, with or without a connection; the sync worker tells the relay of them, and them of the others.
 * Nothing of it is stored.
 */
import { BehaviorSubject, type Observable, type Subscription } from 'rxjs';
import type { Platform } from '../base/platform.ts';
import type { StoreError } from '../base/store-error.ts';
import {
  PRESENCE_BYTES_MAX,
  PRESENCE_DEPTH_MAX,
  PRESENCE_FIELDS_MAX,
  PRESENCE_PER_SECOND,
  type PresenceState,
  presenceProblem,
} from '../protocol/presence-state.ts';
import type { SyncNews } from '../protocol/sync-worker.ts';
import type { TabInfo } from '../protocol/tabs.ts';
import { createPacer } from './pacer.ts';
import { TabParticipants } from './tab-participants.ts';

/** Somebody else: a tab of this or of another device, or another client of the relay. */
export type Participant = {
  /** Of this time of being here; y-protocols' client id. */
  readonly id: number;
  readonly state: PresenceState;
  /** Another tab of this device. */
  readonly isHere: boolean;
};

export type Presence = {
  /**
   * Tells the others who this is: a plain object of JSON with at most 16,000 bytes, 64 fields and 8 levels, in place of
   * the one before; null leaves. Of states that come faster than 20 in a second the last is told. Throws
   * `sync/unfit-presence`, and then nothing is changed.
   */
  set(state: PresenceState | null): void;
  /** The others, in no order: now, and whenever one comes, goes or changes. */
  readonly others$: Observable<readonly Participant[]>;
};

export type PresenceParts = {
  readonly store: string;
  readonly say: (news: SyncNews) => void;
  readonly tabs$: Observable<readonly TabInfo[]>;
  readonly platform: Pick<Platform, 'now' | 'random' | 'setTimer'>;
  readonly ErrorOfStore: typeof StoreError;
};

export type PresenceOfTab = { readonly presence: Presence; heard(news: SyncNews): void; end(): void };

export function createPresence({ store, say, tabs$, platform, ErrorOfStore }: PresenceParts): PresenceOfTab {
  const id = drawId(platform);
  const others = new BehaviorSubject<readonly Participant[]>([]);
  /** As the sync worker has told, from the relay. */
  const remote = new Map<number, PresenceState>();
  let own: PresenceState | null = null;
  let ownTab: string | undefined;
  let isEnded = false;
  let isHidden = false;
  let watching: Subscription | undefined;

  const tell = (): void => {
    const here = [...tabs.ids].map((each) => ({ id: each, state: tabs.stateOf(each)!, isHere: true }));
    const away = [...remote].filter(([each]) => each !== id && tabs.stateOf(each) === undefined);
    others.next([...here, ...away.map(([each, state]) => ({ id: each, state, isHere: false }))]);
  };
  const tabs = new TabParticipants(platform, tell);
  const sayOwn = (): void => {
    if (ownTab !== undefined && !isEnded) say({ type: 'presence', id, tab: ownTab, state: isHidden ? null : own });
  };
  const pacer = createPacer(sayOwn, 1000 / PRESENCE_PER_SECOND, platform);
  /** From the first that is here: a store without presence has no need of it. */
  const watchTabs = (): void => {
    watching ??= tabs$.subscribe({
      next(all) {
        tabs.tabs(all.map((tab) => tab.id));
        const now = all.find(({ isOwn }) => isOwn)?.id;
        const isOther = now !== undefined && now !== ownTab;
        ownTab = now ?? ownTab;
        if (isOther && own !== null) pacer.ask();
      },
      // Of a store that has ended.
      error: () => {},
    });
  };
  const hidden = (): void => {
    isHidden = true;
    sayOwn();
  };
  const shown = (): void => {
    isHidden = false;
    if (own !== null) pacer.ask();
    // What was said meanwhile was not heard.
    say({ type: 'ask' });
  };
  globalThis.addEventListener?.('pagehide', hidden);
  globalThis.addEventListener?.('pageshow', shown);

  return {
    presence: {
      others$: others.asObservable(),
      set(state) {
        if (isEnded) throw new ErrorOfStore('store/closed', `Store ${store} is closed.`, { details: { store } });
        if (state !== null) assertFits(state, ErrorOfStore);
        own = state === null ? null : (JSON.parse(JSON.stringify(state)) as PresenceState);
        watchTabs();
        pacer.ask();
      },
    },
    heard(news) {
      if (news.type === 'ask') {
        if (own !== null) pacer.ask();
      } else if (news.type === 'presence') {
        if (news.id === id) return;
        watchTabs();
        tabs.take(news.id, news.tab, news.state);
      } else if (news.type === 'others') {
        if (news.isAll) remote.clear();
        for (const [each, state] of news.states) {
          if (state === null) remote.delete(each);
          else remote.set(each, state);
        }
        tell();
      }
    },
    end() {
      pacer.stop();
      if (own !== null) {
        own = null;
        sayOwn();
      }
      isEnded = true;
      globalThis.removeEventListener?.('pagehide', hidden);
      globalThis.removeEventListener?.('pageshow', shown);
      watching?.unsubscribe();
      tabs.stop();
      others.complete();
    },
  };
}

/** As Yjs draws client ids. */
function drawId({ random }: Pick<Platform, 'random'>): number {
  const bytes = new Uint8Array(4);
  random(bytes);
  return new DataView(bytes.buffer).getUint32(0);
}

function assertFits(state: PresenceState, ErrorOfStore: typeof StoreError): void {
  const problem = presenceProblem(state);
  const bytes = problem === undefined ? new TextEncoder().encode(JSON.stringify(state)).length : 0;
  if (problem === undefined && bytes <= PRESENCE_BYTES_MAX) return;
  const text = problem ?? `has ${bytes} bytes`;
  throw new ErrorOfStore('sync/unfit-presence', `The state of presence ${text}.`, {
    details: { problem: text },
    hint: `It is a plain object of JSON with at most ${PRESENCE_BYTES_MAX} bytes, ${PRESENCE_FIELDS_MAX} fields and ${PRESENCE_DEPTH_MAX} levels.`,
  });
}
