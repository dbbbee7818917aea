/** `act` or `observe`: whether the controller moves a service by itself, rewritten in its declaration. */
import type { ServiceName } from '../core/ids.ts';
import type { ServiceState } from '../core/state.ts';
import { type By, carryOut, type Operated, refused } from './operate.ts';
import type { Ports } from './ports.ts';
import { mayBeUndoneBy } from './source.ts';

export type Mode = 'act' | 'observe';

interface Written {
  readonly policy?: Readonly<Record<string, unknown>>;
}

function withMode({ declared }: Pick<ServiceState, 'declared'>, mode: Mode): Written {
  const written = JSON.parse(declared) as Written;
  return { ...written, policy: { ...written.policy, mode } };
}

/** Also in the middle of an episode, which goes on to its end as under a pause (P30). */
export function setMode(ports: Ports, name: ServiceName, mode: Mode, by: By): Promise<Operated> {
  return carryOut(ports, name, by, (service) => {
    const { mode: before } = service.declaration.policy;
    if (before === mode) return refused('SAME_MODE', `${name} is in mode ${mode} already`);
    const changes = [`policy.mode: ${before} → ${mode}`];
    return {
      kind: 'change',
      outcome: 'CHANGED',
      headline: `mode ${mode} by ${by.author}${mayBeUndoneBy(service)}`,
      lines: [`reason: ${by.reason}`, ...changes],
      // As every record of a changed declaration has it: what was declared at a time is read from them.
      facts: { reason: by.reason, changes, declaration: withMode(service, mode) },
      notice: { reason: by.reason, changes },
      data: { from: before, to: mode },
      change: (state) => ({ ...state, declared: JSON.stringify(withMode(state, mode)) }),
    };
  });
}
