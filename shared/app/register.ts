/** Registration: a declaration is checked against EC2, then stored: owner rows, ways back, the service (P25). */
import { aroundTheMove } from '../core/around-the-move.ts';
import { changesBetween } from '../core/declaration-changes.ts';
import { refusalsOf } from '../core/eligibility.ts';
import { InvalidInputError, messageOf } from '../core/errors.ts';
import type { AlarmArn, EniId, InstanceId, ServiceName } from '../core/ids.ts';
import {
  type AlarmFact,
  absent,
  alarmOf,
  type Fact,
  interfaceOf,
  known,
  memberOf,
  type Observation,
  unknown,
} from '../core/observation.ts';
import { describeMember, type MemberReasonCode } from '../core/reasons.ts';
import { type Command, type Declaration, parseDeclaration } from '../core/service.ts';
import { emptyTrail, type Quarantine, type Service, type ServiceState } from '../core/state.ts';
import { attachmentsIn, whereabouts } from '../core/whereabouts.ts';
import { deliver } from './deliver.ts';
import { toEntry } from './entry.ts';
import { observe } from './observe.ts';
import type { Refused } from './operate.ts';
import type { AttachOrder, Ports } from './ports.ts';
import { type Entry, readService, record, tooLargeFor, withEntry } from './record.ts';
import { operator, sourceOf } from './source.ts';
import { unfinishedIn } from './unregister.ts';

export type Registered =
  | {
      readonly kind: 'registered';
      readonly name: ServiceName;
      readonly isNew: boolean;
      readonly holder: InstanceId;
      /** What differs from the registration before, spelled out; empty for a new one. */
      readonly changes: readonly string[];
      /** What stands in the way of a failover today, though not of the registration. */
      readonly warnings: readonly string[];
    }
  | {
      readonly kind: 'unchanged';
      readonly name: ServiceName;
      readonly holder: InstanceId;
      readonly warnings: readonly string[];
    }
  | {
      readonly kind: 'rejected';
      readonly code: Refused['code'];
      readonly problems: readonly string[];
    };

export interface RegisterRequest {
  /** The declaration as it was written: what is stored, and parsed again when it is read. */
  readonly declaration: unknown;
  readonly author: string;
  readonly reason?: string;
  readonly allowed?: Allowed;
  /** Where it comes from, such as a stack's ARN; an operator's own hand unless said otherwise. */
  readonly source?: string;
  /** What another source registered is overwritten only on request. */
  readonly takeOver?: boolean;
  /** Checks, and stores nothing. */
  readonly dryRun?: boolean;
  /** The stored declaration that this one was made from: if it is another one by now, nothing is stored. */
  readonly replaces?: string;
}

/** What the deployed stack may do around a move, by its parameters; undefined where nobody said. */
export interface Allowed {
  readonly fencing: boolean | undefined;
  readonly hookDocuments: readonly string[] | undefined;
  readonly hookFunctions: boolean | undefined;
}

const nothingSaid: Allowed = { fencing: undefined, hookDocuments: undefined, hookFunctions: undefined };

const rejected = (...problems: readonly string[]): Registered => ({
  kind: 'rejected',
  code: 'REJECTED',
  problems,
});

const overtaken = (name: ServiceName): Registered =>
  rejected(`${name}: it was changed by somebody else meanwhile; look at it and register again`);

/** Reasons that no waiting ends: a member that never can take the interfaces is a mistake in the declaration. */
const neverEnds: ReadonlySet<MemberReasonCode> = new Set([
  'NO_SUCH_MEMBER',
  'WRONG_AZ',
  'LIMIT_REACHED',
  'NOT_TAGGED',
]);

const tagIt = (id: string) => `aws ec2 create-tags --resources ${id} --tags Key=eni-failover,Value=managed`;

const placeOf = (place: Pick<AttachOrder, 'deviceIndex' | 'networkCardIndex'>) =>
  `device index ${place.deviceIndex} of network card ${place.networkCardIndex}`;

interface Findings {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly holder: InstanceId | undefined;
}

function unreadable(what: string, fact: Fact<unknown>): string[] {
  return fact.kind === 'unknown'
    ? [`${what}: could not be read (${fact.why}); nothing was stored, try again`]
    : [];
}

/** The role may call no other function. */
const functionPrefix = 'eni-failover-hook-';

/** Every document and function that is declared, and where. */
function commandsIn({ hooks, serving }: Declaration): readonly (readonly [string, Command])[] {
  return [
    ...hooks.before.flatMap((hook, index): (readonly [string, Command])[] => [
      [`hooks.before.${index}`, hook],
      ...(hook.undo ? [[`hooks.before.${index}.undo`, hook.undo] as const] : []),
    ]),
    ...hooks.after.map((hook, index): readonly [string, Command] => [`hooks.after.${index}`, hook]),
    ...(serving && 'check' in serving ? [['serving.check', serving.check] as const] : []),
  ];
}

/** Holds what is declared around the move against what the stack may do. Pure. */
function checkAllowed(declaration: Declaration, allowed: Allowed): Omit<Findings, 'holder'> {
  const problems: string[] = [];
  const warnings: string[] = [];
  const hold = (at: string, isAllowed: boolean | undefined, what: string, parameter: string) => {
    if (isAllowed === false)
      problems.push(`${at}: this stack may not ${what}; deploy it with the parameter ${parameter}`);
    if (isAllowed === undefined)
      warnings.push(
        `${at}: whether this stack may ${what} is not known; it must be deployed with ${parameter}`,
      );
  };
  if (declaration.policy.fence === 'stop')
    hold('policy.fence', allowed.fencing, 'stop instances', 'Fencing=on');
  for (const [at, command] of commandsIn(declaration)) {
    if ('document' in command) {
      const { document } = command;
      const isNamed = allowed.hookDocuments?.includes(document);
      hold(`${at}.document`, isNamed, `send ${document}`, `HookDocuments naming ${document}`);
      continue;
    }
    // A name, or the end of an ARN.
    const name = command.function.split('function:').at(-1) ?? '';
    hold(`${at}.function`, allowed.hookFunctions, 'call functions', 'HookFunctions=on');
    // Another stack's role may know others: only where this one's parameters are known, is its prefix.
    if (allowed.hookFunctions && !name.startsWith(functionPrefix))
      problems.push(
        `${at}.function: ${name} does not begin with ${functionPrefix}, and no other function may be called; rename it`,
      );
  }
  return { problems, warnings };
}

/** Holds a declaration against what EC2 and CloudWatch say; the warnings are of use only without a problem. Pure. */
export function check(
  service: Service,
  observation: Observation,
  nowMs: number,
  allowed: Allowed = nothingSaid,
): Findings {
  const { declaration } = service;
  const problems: string[] = [];
  const warnings: string[] = [];
  const where = whereabouts(service, observation);

  declaration.interfaces.forEach((declared, index) => {
    const { eni, deviceIndex, networkCardIndex } = declared;
    const at = `interfaces.${index}.eni`;
    const fact = interfaceOf(observation, eni);
    problems.push(...unreadable(`${at}: ${eni}`, fact));
    if (fact.kind === 'absent') problems.push(`${at}: EC2 knows no interface ${eni} in this Region`);
    if (fact.kind !== 'known') return;
    const { unmovable, tagged, attachment } = fact.value;
    if (unmovable !== undefined)
      problems.push(`${at}: ${eni} ${unmovable}; declare a secondary interface of your own`);
    if (!tagged) problems.push(`${at}: ${eni} lacks the tag eni-failover=managed; ${tagIt(eni)}`);
    if (
      attachment &&
      (attachment.deviceIndex !== deviceIndex || attachment.networkCardIndex !== networkCardIndex)
    )
      warnings.push(
        `${at}: ${eni} sits at ${placeOf(attachment)} now and will take ${placeOf(declared)} after a move`,
      );
  });

  declaration.members.forEach((member, index) => {
    const at = `members.${index}.instance`;
    const fact = memberOf(observation, member.instance);
    problems.push(...unreadable(`${at}: ${member.instance}`, fact));
    for (const refusal of refusalsOf(service, observation, member, nowMs)) {
      // The holder's own health is no question of the declaration, its device index is taken by the service.
      if (neverEnds.has(refusal.code)) {
        const help = refusal.code === 'NOT_TAGGED' ? `; ${tagIt(member.instance)}` : '';
        problems.push(`${at}: ${describeMember(refusal)}${help}`);
      } else warnings.push(`${at}: ${describeMember(refusal)}`);
    }
  });

  const alarms = [
    ...declaration.signals.alarms.map((each, index) => [`signals.alarms.${index}.arn`, each.arn] as const),
    ...declaration.members.flatMap((member, index) =>
      member.readyWhen.map((arn) => [`members.${index}.readyWhen`, arn] as const),
    ),
    ...servingAlarmOf(declaration).map((arn) => ['serving.alarm', arn] as const),
  ];
  for (const [at, arn] of alarms) {
    const fact = alarmOf(observation, arn);
    problems.push(...unreadable(`${at}: ${arn}`, fact));
    if (fact.kind === 'absent')
      problems.push(`${at}: CloudWatch knows no alarm ${arn} in this account and Region`);
    if (at === 'serving.alarm' && fact.kind === 'known' && fact.value.state !== 'OK')
      warnings.push(`${at}: ${arn} is ${fact.value.state} now; after a move it must be OK in time`);
  }
  const around = checkAllowed(declaration, allowed);
  problems.push(...around.problems);
  warnings.push(...around.warnings);

  let holder: InstanceId | undefined;
  if (problems.length === 0) {
    if (where.kind === 'together') {
      holder = where.holder;
      if (!declaration.members.some((each) => each.instance === holder))
        problems.push(`members: the interfaces are on ${holder}, which is not one of the members`);
    } else if (where.kind === 'on-nothing')
      problems.push(
        `interfaces: ${where.free.join(', ')} attached to nothing; attach them to a member first`,
      );
    else if (where.kind === 'split')
      problems.push(
        `interfaces: they are on ${where.holders.join(' and ')}; they must rest together on one member`,
      );
    else problems.push(`interfaces: ${where.why}; register when it is attached and settled`);
  }
  if (declaration.members.length === 1)
    warnings.push('members: there is only one; without a standby nothing can be moved');
  return { problems, warnings, holder };
}

const servingAlarmOf = ({ serving }: Declaration): readonly AlarmArn[] =>
  serving && 'alarm' in serving ? [serving.alarm] : [];

/** No decision goes by it, so nobody else looks at it. */
async function lookAtServing(
  ports: Ports,
  declaration: Declaration,
): Promise<ReadonlyMap<AlarmArn, Fact<AlarmFact>>> {
  const arns = servingAlarmOf(declaration);
  if (arns.length === 0) return new Map();
  try {
    const { value } = await ports.alarms.describe(arns);
    return new Map(
      arns.map((arn) => {
        const fact = value.get(arn);
        return [arn, fact ? known(fact) : absent];
      }),
    );
  } catch (error) {
    return new Map(arns.map((arn) => [arn, unknown(messageOf(error))]));
  }
}

const waysOf = (
  declaration: Declaration,
): { instances: readonly InstanceId[]; alarms: readonly AlarmArn[] } => ({
  instances: declaration.members.map((each) => each.instance),
  alarms: declaration.signals.alarms.map((each) => each.arn),
});

function draftState(ports: Ports, declaration: Declaration, request: RegisterRequest): ServiceState {
  return {
    name: declaration.name,
    rev: 0,
    epoch: 0,
    nonce: ports.ids.nonce(),
    declared: JSON.stringify(request.declaration),
    facts: { availabilityZone: '', limits: {} },
    registeredBy: request.author,
    outbox: [],
    detached: [],
    mayDetach: [],
    quarantine: {},
    failoversAtMs: [],
    trail: emptyTrail,
  };
}

function changeEntry(
  ports: Ports,
  service: Service,
  { author, reason }: RegisterRequest,
  change: Entry['change'],
  isNew: boolean,
  changes: readonly string[],
): Entry {
  const { declaration, lastSeen } = service;
  const source = sourceOf(service);
  const enis = declaration.interfaces.map((each) => each.eni);
  const members = declaration.members.map((each) => each.instance);
  return toEntry(ports, service, {
    kind: 'change',
    author,
    outcome: isNew ? 'REGISTERED' : 'CHANGED',
    severity: 'info',
    headline: `${isNew ? 'registered' : 'registration changed'} by ${author}`,
    lines: [
      ...changes,
      ...(reason === undefined ? [] : [`Why: ${reason}`]),
      ...(source === operator ? [] : [`Source: ${source}`]),
      `Interfaces: ${enis.join(', ')}`,
      `Members: ${members.join(', ')}`,
      ...aroundTheMove(declaration).map(({ step, what }) => `${step}: ${what}`),
    ],
    next: [],
    facts: { declaration: JSON.parse(service.declared) as unknown, lastSeen, source, changes, reason },
    data: { author, source, changes, interfaces: enis, members },
    instances: members,
    enis,
    change,
  });
}

/** Replaced instances are named by nobody again, and their names would fill the item. */
const mostFormer = 20;

/**
 * Who is dropped and named again comes back as who left: an edit is no acknowledgement. Meanwhile nobody looks whether
 * a former member is well, so that time does not count for it.
 */
function quarantineKept(
  { quarantine }: ServiceState,
  { members }: Declaration,
): Readonly<Record<string, Quarantine>> {
  const all = Object.entries(quarantine);
  const isNamed = ([id]: readonly [string, Quarantine]) => members.some((each) => each.instance === id);
  const former = all
    .filter((each) => !isNamed(each))
    .toSorted(([, one], [, other]) => one.sinceMs - other.sinceMs)
    .slice(-mostFormer)
    .map(([id, { healthySinceMs: _, ...rest }]): [string, Quarantine] => [id, rest]);
  return Object.fromEntries([...all.filter(isNamed), ...former]);
}

/**
 * What is on its way must find the service as it was: nobody asked for an interface that came later to be moved along,
 * and nobody would repair a late detach of one that was dropped. `stranded` is no reason: the service is whole again.
 */
function unfinishedBefore(existing: Service | undefined, nowMs: number): Registered | undefined {
  if (!existing) return undefined;
  const { stranded: _, ...rest } = existing;
  const unfinished = unfinishedIn(rest, nowMs);
  if (!unfinished) return undefined;
  const { code, detail } = unfinished;
  return {
    kind: 'rejected',
    code,
    problems: [`${existing.name}: ${detail}; register again when that is over`],
  };
}

/** Owner rows first: an interface belongs to one service (S15). What was taken is given back if one is not free. */
async function own(ports: Ports, name: ServiceName, enis: readonly EniId[], before: readonly EniId[]) {
  const taken: string[] = [];
  const owned: EniId[] = [];
  for (const eni of enis) {
    const answer = await ports.store.own(eni, name);
    if (answer.kind === 'owned') owned.push(eni);
    else taken.push(`interfaces: ${eni} belongs to the service ${answer.owner} already`);
  }
  if (taken.length > 0)
    await Promise.all(
      owned.filter((eni) => !before.includes(eni)).map((eni) => ports.store.release(eni, name)),
    );
  return taken;
}

/**
 * Registers a service or changes its registration. Idempotent. What it wants changed in EC2 it enqueues: only
 * functions/failover changes EC2. Throws {@link PortError} when the table or the queue is out of reach.
 */
export async function register(ports: Ports, request: RegisterRequest): Promise<Registered> {
  const parsed = parseDeclaration(request.declaration);
  if (parsed.kind === 'invalid') return rejected(...parsed.problems);
  const { declaration } = parsed;
  const { name } = declaration;

  let existing: Service | undefined;
  try {
    existing = await readService(ports, name);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    const why = `${name}: the stored item cannot be understood (${error.problems.join('; ')})`;
    return rejected(`${why}; restore it from a point in time, or correct the item by hand`);
  }
  if (existing?.episode) {
    const why = `${name}: episode ${existing.episode.id} is open; register again when it has ended`;
    return { kind: 'rejected', code: 'EPISODE_OPEN', problems: [why] };
  }
  if (request.replaces !== undefined && request.replaces !== existing?.declared) return overtaken(name);
  const source = request.source ?? operator;
  const current = existing?.tombstone ? undefined : existing;
  const others = current ? sourceOf(current) : source;
  if (others !== source && !request.takeOver) {
    const why = `${name}: ${others} registered it, not ${source}; change it there, or take it over`;
    return { kind: 'rejected', code: 'OWNED_BY_OTHERS', problems: [why] };
  }

  const base: ServiceState = existing ?? draftState(ports, declaration, request);
  const draft: Service = { ...base, declared: JSON.stringify(request.declaration), declaration };
  const [looked, serving] = await Promise.all([observe(ports, draft), lookAtServing(ports, declaration)]);
  const observation = { ...looked, alarms: new Map([...looked.alarms, ...serving]) };
  const limits = Object.fromEntries(
    [...observation.members.values()].flatMap((fact) =>
      fact.kind === 'known' && fact.value.limits.kind === 'known'
        ? [[fact.value.instanceType, fact.value.limits.value] as const]
        : [],
    ),
  );
  const { problems, warnings, holder } = check(draft, observation, ports.clock.now(), request.allowed);
  if (problems.length > 0 || !holder) return rejected(...problems);

  // Whole again on a member of the new declaration: then it is not stranded any more, whoever did it (P26).
  const isAsDeclared = current?.declared === draft.declared && others === source;
  const isSame = isAsDeclared && !current.stranded;
  // A stack that goes back to what stands must always be able to.
  const unfinished = isAsDeclared ? undefined : unfinishedBefore(existing, ports.clock.now());
  if (unfinished) return unfinished;
  const changes = current
    ? [
        ...(others === source ? [] : [`source: ${others} → ${source}`]),
        ...changesBetween(
          { written: JSON.parse(current.declared), declaration: current.declaration },
          { written: request.declaration, declaration },
        ),
      ]
    : [];
  const done: Registered = isSame
    ? { kind: 'unchanged', name, holder, warnings }
    : { kind: 'registered', name, isNew: !current, holder, changes, warnings };
  if (request.dryRun) return done;
  const enis = declaration.interfaces.map((each) => each.eni);
  const before = existing?.declaration.interfaces.map((each) => each.eni) ?? [];
  const taken = await own(ports, name, enis, before);
  if (taken.length > 0) return rejected(...taken);
  await ports.store.addWayBack(name, waysOf(declaration));

  const first = observation.interfaces.values().next().value;
  const availabilityZone = first?.kind === 'known' ? first.value.availabilityZone : '';
  const service: Service = {
    ...draft,
    source,
    facts: { availabilityZone, limits },
    registeredBy: request.author,
    lastSeen: { holder, attachments: attachmentsIn(draft, observation) },
  };
  if (!isSame) {
    const change: Entry['change'] = (state) => {
      const { tombstone: _, stranded: __, source: ___, preferredSinceMs: ____, ...kept } = state;
      // Somebody moved it meanwhile, and registers it where it is: nothing brings it back by itself.
      const { movedBy: _____, ...moved } = kept;
      const { declared, facts, registeredBy, lastSeen } = service;
      return {
        ...(state.lastSeen?.holder === holder ? kept : moved),
        declared,
        facts,
        registeredBy,
        ...(source !== operator && { source }),
        ...(lastSeen && { lastSeen }),
        quarantine: quarantineKept(state, declaration),
      };
    };
    const entry = changeEntry(ports, service, request, change, !current, changes);
    const tooLarge = tooLargeFor(ports, existing ?? service, entry);
    if (tooLarge !== undefined) {
      await Promise.all(
        enis.filter((eni) => !before.includes(eni)).map((eni) => ports.store.release(eni, name)),
      );
      return { kind: 'rejected', code: 'ITEM_TOO_LARGE', problems: [tooLarge] };
    }
    if (existing) {
      if ((await record(ports, existing, entry)) === 'conflict') return overtaken(name);
    } else {
      const { declaration: _, ...state } = service;
      const created = withEntry(ports, state, entry);
      if ((await ports.store.create(created)) === 'exists')
        return rejected(
          `${name}: it was registered by somebody else meanwhile; look at it and register again`,
        );
      await deliver(ports, created);
    }
  }
  await ports.store.joinZone(availabilityZone, name);
  // An unregistering that was finished beside this one may have let them go before it could see the new registration.
  const lost = existing?.tombstone ? await own(ports, name, enis, enis) : [];
  // Only now: a released interface may be registered by others at once.
  await Promise.all(before.filter((eni) => !enis.includes(eni)).map((eni) => ports.store.release(eni, name)));
  await ports.queue.send({ service: name, hint: { kind: 'request', atMs: ports.clock.now() }, look: 0 }, 0);
  return { ...done, warnings: [...warnings, ...lost] };
}
