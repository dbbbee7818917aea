/** A test told as a story of an outage; whatever happens in it, the invariants and its notices are checked at its end. */
import { expect, it } from 'vitest';
import { noticeProblems } from '../fakes/notice-schema.ts';
import { makeWorld, type World, type WorldOptions } from '../fakes/world.ts';

export type Tale = (world: World) => Promise<void>;

/** `name` is a fact in the present tense. */
export function story(name: string, tale: Tale): void;
export function story(name: string, options: WorldOptions, tale: Tale): void;
export function story(name: string, first: WorldOptions | Tale, second?: Tale): void {
  const [options, tale] = typeof first === 'function' ? [{}, first] : [first, second];
  it(name, async () => {
    const world = await makeWorld(options);
    await tale?.(world);
    expect(world.violations(), 'invariants').toEqual([]);
    expect(world.notifier.published.flatMap(noticeProblems), 'notices').toEqual([]);
  });
}
