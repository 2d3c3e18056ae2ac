/** Before tests of the built package: it is there and not older than its sources. */
import { buildIfStale } from '../../.ci/build.mjs';

export default function setup(): Promise<void> {
  return buildIfStale();
}
