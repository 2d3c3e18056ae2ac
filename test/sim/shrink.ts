/**
 * Makes a failing life smaller: fewer steps, fewer tabs, fewer things that befall them, as long as it still fails. What is
 * left out changes everything after it, so each smaller life is tried with some seeds.
 */
import { BEFALLS, type Plan, TabsRun } from './tabs-run.ts';

/** Seeds of each smaller life, the failing one first. */
const SEEDS_PER_PLAN = 25;
const TRIES_MAX = 2_000;

export type Failure = { readonly plan: Plan; readonly error: Error };

/** Undefined when the life goes well. */
export async function failureOf(plan: Plan): Promise<Failure | undefined> {
  try {
    await new TabsRun(plan).run();
    return undefined;
  } catch (error) {
    return { plan, error: error as Error };
  }
}

/** `judge` says whether a life fails. */
export async function shrink(
  failure: Failure,
  judge: (plan: Plan) => Promise<Failure | undefined> = failureOf,
): Promise<Failure> {
  let best = failure;
  let tries = 0;
  const first = failure.plan.seed;
  /** Takes the smaller life for the failing one when it fails, with this seed or another. */
  const attempt = async (change: (plan: Plan) => Plan): Promise<boolean> => {
    const seeds = [best.plan.seed, ...Array.from({ length: SEEDS_PER_PLAN }, (_, at) => first + at)];
    for (const seed of seeds) {
      if (++tries > TRIES_MAX) return false;
      const found = await judge({ ...change(best.plan), seed });
      if (found === undefined) continue;
      best = found;
      return true;
    }
    return false;
  };
  for (const befall of BEFALLS) await attempt((plan) => ({ ...plan, without: [...plan.without, befall] }));
  while (best.plan.tabsMax > 1 && (await attempt((plan) => ({ ...plan, tabsMax: plan.tabsMax - 1 }))));
  for (let less = Math.ceil(best.plan.steps / 2); less >= 1; ) {
    const steps = best.plan.steps - less;
    if (steps < 1 || !(await attempt((plan) => ({ ...plan, steps })))) less = Math.floor(less / 2);
  }
  return best;
}
