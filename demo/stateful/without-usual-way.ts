/** The facts of a sandbox that two pairs share, told apart: what concerns the service, and what the usual way. */
import type { Facts } from '../facts.ts';
import type { Invocation } from '../sandbox-control.ts';
import type { Pair } from './pair.ts';
import { usualWayFunction } from './template.ts';

export const isUsualWay = ({ function: name }: Pick<Invocation, 'function'>) =>
  name.endsWith(usualWayFunction);

const usualWayKey = usualWayFunction.toUpperCase();

/** All but what the usual way did, and what was done to its pair. */
export const withoutUsualWay = (facts: Facts, usual: Pair): Facts => ({
  ...facts,
  calls: facts.calls.filter(({ caller }) => !caller.includes(usualWayKey)),
  attachments: facts.attachments.filter(({ eniId }) => eniId !== usual.eniId),
  history: facts.history.filter(({ eniId }) => eniId !== usual.eniId),
  events: facts.events.filter(({ event }) => !usual.isAbout(JSON.stringify(event))),
  invocations: facts.invocations.filter((each) => !isUsualWay(each) && !usual.isAbout(each.payload)),
});
