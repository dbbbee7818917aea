/** Builds the bundles once before any test: those that run a built function must not meet an old one. */
import { buildAll, findTargets } from '../build.ts';

export async function setup(): Promise<void> {
  const root = new URL('..', import.meta.url).pathname;
  await buildAll(findTargets(root), `${root}dist`);
}
