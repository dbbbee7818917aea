/** A service that nobody has registered yet, from what is declared of it: enough to look at EC2 with. Pure. */
import { parseDeclaration } from '../core/service.ts';
import { emptyTrail, type Service } from '../core/state.ts';

export type NewService =
  | { readonly kind: 'declared'; readonly service: Service }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

export function toNewService(declared: unknown): NewService {
  const parsed = parseDeclaration(declared);
  if (parsed.kind === 'invalid') return parsed;
  const { declaration } = parsed;
  return {
    kind: 'declared',
    service: {
      name: declaration.name,
      rev: 0,
      epoch: 0,
      nonce: '',
      declared: JSON.stringify(declared),
      declaration,
      facts: { availabilityZone: '', limits: {} },
      registeredBy: '',
      outbox: [],
      detached: [],
      mayDetach: [],
      quarantine: {},
      failoversAtMs: [],
      trail: emptyTrail,
    },
  };
}
