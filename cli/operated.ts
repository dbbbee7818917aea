/** What an operator's command did or did not do, as an answer. */
import type { ControlAnswer } from '../shared/core/control.ts';
import { reasons } from '../shared/core/reasons.ts';
import type { Answer } from './answer.ts';
import type { Say } from './service-view.ts';

/** What the command was about: a service, a zone, or everything. */
export interface Scope {
  readonly service: string | null;
  readonly zone: string | null;
}

export const onService = (service: string): Scope => ({ service, zone: null });
export const onEverything: Scope = { service: null, zone: null };

function wayOut(code: string, scope: Scope, say: Say): string {
  if (code === 'LEASE_HELD') return `: ${reasons.LEASE_HELD.wayOut}`;
  if (code === 'NO_SUCH_SERVICE' || !scope.service) return `. How things are:  ${say('status')}`;
  return `. How it is:  ${say(`status ${scope.service}`)}`;
}

/** With the keys that every such answer has; a command adds its own from `answered.data`. */
export function operatedAnswer(answered: ControlAnswer, scope: Scope, say: Say): Answer {
  const { kind, author, code, detail } = answered;
  const about = scope.service && kind === 'done' ? `${scope.service}: ` : '';
  return {
    outcome: kind,
    data: { ...scope, author, code, detail },
    text: ({ style }) =>
      code === null
        ? style('green', `${about}${detail}`)
        : `${style('red', `nothing was done (${code})`)}: ${detail}${wayOut(code, scope, say)}`,
  };
}
