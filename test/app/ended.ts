/** Ends of episodes for tables: the plan from one member to the next, what EC2 shows of it, and how it ended. */
import type { Ending } from '../../shared/app/ending.ts';
import type { EniId, InstanceId } from '../../shared/core/ids.ts';
import type { Attachment, Fact, InterfaceFact } from '../../shared/core/observation.ts';
import type { Plan } from '../../shared/core/plan.ts';
import * as core from '../core/world.ts';

const { admin, data, planTo } = core;
/** In the tables below: the member that is left, the one that takes over, and another one. */
export const [old, next, third] = [core.a, core.b, core.c];

export const ours = (eni: EniId, on: InstanceId) => core.attachmentOf(eni, on, 1);
/** The plan from `old` to `next` after both attaches were accepted. */
export const carriedOut = (more: Parameters<typeof planTo>[1] = {}, target = next): Plan => {
  const plan = planTo(target, { source: old, ...more });
  const interfaces = plan.interfaces.map((each) => ({ ...each, ours: [ours(each.eni, target)] }));
  return { ...plan, interfaces };
};
export const at = (eni: EniId, on: InstanceId, more: Partial<Attachment> = {}): Fact<InterfaceFact> =>
  core.interfaceAt(eni, on, { attachment: core.attachment(eni, on, { id: ours(eni, on), ...more }) });
export const both = (to: (eni: EniId) => Fact<InterfaceFact>) =>
  new Map([data, admin].map((eni) => [eni, to(eni)] as const));
export const restingOn = (on: InstanceId) => both((eni) => at(eni, on));
export const untouched = both((eni) => core.interfaceAt(eni, old));

export const ended = (more: Partial<Ending> = {}): Ending => ({
  outcome: 'COMPLETED',
  why: 'it is so',
  severity: 'info',
  facts: restingOn(next),
  untouched: false,
  seen: new Set(),
  sourceFailed: false,
  ...more,
});
