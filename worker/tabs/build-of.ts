/**
 * Which application a tab runs, as far as it matters to the others: tabs of two builds do not share an engine (T8). The
 * one that comes later takes the store, unless it is known to be the older one.
 */
import { crc32c } from '../../src/base/crc32c.ts';
import type { CollectionSpec } from '../../src/protocol/definition.ts';
import { TABS_PROTOCOL, type TabBuild } from '../../src/protocol/tabs.ts';

export function buildOf(collections: readonly CollectionSpec[]): TabBuild {
  const text = new TextEncoder().encode(JSON.stringify(collections));
  return {
    protocol: TABS_PROTOCOL,
    definitions: `${text.length}-${crc32c(text)}`,
    versions: Object.fromEntries(collections.map(({ name, version }) => [name, version])),
  };
}

export const canShare = (one: TabBuild, other: TabBuild): boolean =>
  one.protocol === other.protocol && one.definitions === other.definitions;

/**
 * Whether one is newer than the other for sure: by the protocol of tabs, else by a version of a collection where none is
 * older. Of builds that differ in anything else nobody can tell.
 */
export function isNewer(one: TabBuild, other: TabBuild): boolean {
  if (one.protocol !== other.protocol) return one.protocol > other.protocol;
  const common = Object.keys(one.versions).filter((name) => Object.hasOwn(other.versions, name));
  const isAhead = (name: string): boolean => one.versions[name]! > other.versions[name]!;
  const isBehind = (name: string): boolean => one.versions[name]! < other.versions[name]!;
  return common.some(isAhead) && !common.some(isBehind);
}
