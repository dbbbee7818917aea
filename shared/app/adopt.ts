/** Accepts what a person did by hand: the service is where it is now, and that is how it is meant. */
import type { ServiceName } from '../core/ids.ts';
import { interfacesOf, isMember, originKept } from '../core/state.ts';
import { canonical } from '../core/trail.ts';
import { attachmentsIn, whereabouts } from '../core/whereabouts.ts';
import { observe } from './observe.ts';
import { type By, carryOut, type Operated, refused } from './operate.ts';
import type { Ports } from './ports.ts';

/** Changes nothing in EC2. */
export function adopt(ports: Ports, name: ServiceName, by: By): Promise<Operated> {
  return carryOut(ports, name, by, async (service) => {
    if (service.episode)
      return refused('EPISODE_OPEN', `episode ${service.episode.id} of ${name} is under way`);
    const observation = await observe(ports, service);
    const where = whereabouts(service, observation);
    if (where.kind === 'unknown') return refused('UNKNOWN_STATE', where.why);
    if (where.kind === 'unmovable') return refused('UNMOVABLE_INTERFACE', where.why);
    if (where.kind === 'split')
      return refused('NOT_TOGETHER', `the interfaces are on ${where.holders.join(' and ')}`);
    if (where.kind === 'on-nothing')
      return refused('NOT_TOGETHER', `${where.free.join(', ')} attached to nothing`);
    const { holder } = where;
    if (!isMember(service, holder))
      return refused('NOT_A_MEMBER', `${holder} has the interfaces and is no member of ${name}`);

    const { lastSeen, lastObserved, lastRefusal, stranded } = service;
    const attachments = attachmentsIn(service, observation);
    const isWhereItWas = canonical(lastSeen) === canonical({ holder, attachments });
    if (isWhereItWas && !stranded && lastObserved === undefined)
      // What was moved by hand a minute ago is taken note of by now: whoever asks for it has what he wants.
      return {
        kind: 'done',
        detail: `nothing had to be adopted: ${name} is on ${holder}, as the controller knows`,
        data: { from: holder, to: holder },
      };
    const was = lastObserved ?? lastRefusal ?? stranded?.why ?? `on ${lastSeen?.holder ?? 'nothing'}`;
    return {
      kind: 'change',
      outcome: 'ADOPTED',
      headline: `adopted by ${by.author}: all on ${holder}`,
      facts: { reason: by.reason, from: lastSeen?.holder, to: holder, was },
      notice: { reason: by.reason, from: lastSeen?.holder ?? null, to: holder, was },
      instances: [...new Set([lastSeen?.holder, holder])].flatMap((id) => id ?? []),
      enis: interfacesOf(service),
      data: { from: lastSeen?.holder ?? null, to: holder },
      change: ({
        lastObserved: _,
        lastRefusal: __,
        stranded: ___,
        preferredSinceMs: ____,
        movedBy: _____,
        ...state
      }) => ({
        ...state,
        // One that waits was meant for where they were: the next look refuses it, with a record.
        ...originKept(state),
        lastSeen: { holder, attachments },
        // A move by people needs its grace like one of ours (P33).
        ...(!isWhereItWas && { lastMoveAtMs: ports.clock.now() }),
        // A detach of ours that was still to come can only hit the attachment that it names.
        mayDetach: state.mayDetach.filter((id) => Object.values(attachments).includes(id)),
      }),
    };
  });
}
