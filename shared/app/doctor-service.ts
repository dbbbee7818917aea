/** One service under the doctor's eyes: would a failover work now, and what bites later? Reads only. */
import { refusalsOf } from '../core/eligibility.ts';
import type { AttachmentId, EniId, InstanceId } from '../core/ids.ts';
import { type Fact, healthOf, interfaceOf, memberOf, type Observation } from '../core/observation.ts';
import { type MemberReasonCode, memberReasons } from '../core/reasons.ts';
import type { Member } from '../core/service.ts';
import { emptyController, interfacesOf, isPaused, type Service } from '../core/state.ts';
import { attachmentsIn, whereabouts } from '../core/whereabouts.ts';
import { type CheckId, type Finding, findingsOf, read } from './doctor.ts';
import { examineNetwork, type NetworkFacts } from './doctor-network.ts';
import { observe } from './observe.ts';
import { planFrom } from './plan-ahead.ts';
import type { Rehearsed, Site, StateStore, StatusAlarm } from './ports.ts';

export interface ServiceFacts {
  readonly service: Service;
  readonly observation: Observation;
  readonly statusAlarms: Fact<readonly StatusAlarm[]>;
  readonly network: NetworkFacts;
  /** The last drill on record, in which the controller's own role was asked. */
  readonly drilled: Fact<Drilled | undefined>;
  /** What EC2 would let the operator do, by dry runs; undefined where there is no move to rehearse. */
  readonly own: Fact<readonly Rehearsed[]> | undefined;
}

interface Drilled {
  readonly atMs: number;
  readonly calls: number;
  readonly denied: readonly string[];
}

/** Further back a drill says little of today. */
const recordsToRead = 100;

async function lastDrill(
  store: Pick<StateStore, 'trail'>,
  { name, trail }: Service,
): Promise<Drilled | undefined> {
  const from = Math.max(1, trail.next - recordsToRead);
  const rows = await store.trail(name, from, recordsToRead);
  const row = rows.findLast((each) => each.kind === 'drill');
  if (!row) return undefined;
  const { tried = [] } = JSON.parse(row.body) as {
    readonly tried?: readonly {
      readonly action: string;
      readonly of: string;
      readonly answer: string;
      readonly detail?: string;
    }[];
  };
  const denied = tried.filter((each) => each.answer === 'denied');
  return {
    atMs: row.atMs,
    calls: tried.length,
    denied: denied.map(({ action, of, detail = 'denied' }) => `${action} of ${of}: ${detail}`),
  };
}

export async function lookAtService(
  site: Site,
  store: Pick<StateStore, 'trail'>,
  service: Service,
  /** The address at which the operator's own session came in, if it did. */
  ownAddress: string | undefined,
): Promise<ServiceFacts> {
  const enis = interfacesOf(service);
  const members = service.declaration.members.map((each) => each.instance);
  const [observation, drilled, statusAlarms, placed] = await Promise.all([
    observe(site, service),
    read(lastDrill(store, service)),
    read(site.environment.statusAlarms()),
    read(site.environment.network(enis, members)),
  ]);
  const groups = placed.kind === 'known' ? [...new Set(placed.value.flatMap((each) => each.groups))] : [];
  const [openings, own] = await Promise.all([
    read(site.environment.openings(groups)),
    rehearse(site, service, observation),
  ]);
  return { service, observation, drilled, statusAlarms, own, network: { placed, openings, ownAddress } };
}

/** One interface to one standby: the permissions are the same for each. */
async function rehearse(
  { ec2 }: Site,
  service: Service,
  observation: Observation,
): Promise<Fact<readonly Rehearsed[]> | undefined> {
  const where = whereabouts(service, observation);
  const [first] = service.declaration.interfaces;
  const attachment: AttachmentId | undefined = first && attachmentsIn(service, observation)[first.eni];
  if (where.kind !== 'together' || !first || !attachment) return undefined;
  const standby = service.declaration.members.find((each) => each.instance !== where.holder);
  if (!standby) return undefined;
  const stop = service.declaration.policy.fence === 'stop' ? where.holder : undefined;
  return read(ec2.rehearse({ ...first, attachment, instanceId: standby.instance, stop }));
}

type Say = ReturnType<typeof findingsOf>;

const tagIt = (id: string) => `aws ec2 create-tags --resources ${id} --tags Key=eni-failover,Value=managed`;

function ofState(
  { ok, warning, problem }: Say,
  { service, observation }: ServiceFacts,
  nowMs: number,
): readonly Finding[] {
  const { name, stranded, episode, pause, declaration } = service;
  const found: Finding[] = [];
  if (stranded)
    found.push(
      problem('state', `STRANDED: ${stranded.why}`, 'docs/runbook.md, STRANDED', {
        commands: [`eni-failover status ${name}`],
      }),
    );
  if (episode)
    found.push(
      warning(
        'state',
        `episode ${episode.id} is open, ${episode.state}`,
        'wait until it has ended, then ask again',
      ),
    );
  if (pause && isPaused(pause, nowMs))
    found.push(
      problem(
        'state',
        `paused until ${new Date(pause.untilMs).toISOString()} by ${pause.author}: ${pause.reason}`,
        'resume, or wait until it ends',
        { commands: [`eni-failover resume ${name} --reason '...'`] },
      ),
    );
  if (declaration.policy.mode === 'observe')
    found.push(
      problem(
        'state',
        'in mode observe it says what it would do, and moves nothing',
        'set it to act when you trust it',
        {
          commands: [`eni-failover mode ${name} act --reason '...'`],
        },
      ),
    );
  const ahead = planFrom({ service, controller: emptyController, observation, nowMs });
  const spent = ahead.reasons.find(({ code }) => code === 'BUDGET_SPENT');
  if (spent)
    found.push(
      problem('state', `BUDGET_SPENT: ${spent.detail}`, spent.wayOut, {
        commands: spent.command ? [spent.command] : [],
      }),
    );
  return found.length > 0 ? found : [ok('state', 'nothing does')];
}

function ofHolder(
  { ok, warning, problem, unknown }: Say,
  service: Service,
  observation: Observation,
): readonly Finding[] {
  const where = whereabouts(service, observation);
  if (where.kind === 'unknown') return [unknown('holder', where.why)];
  if (where.kind !== 'together') {
    const why = {
      'on-nothing': () => `${where.kind === 'on-nothing' ? where.free.join(', ') : ''} on nothing`,
      split: () => `they are on ${where.kind === 'split' ? where.holders.join(' and ') : ''}`,
      unmovable: () => (where.kind === 'unmovable' ? where.why : ''),
    }[where.kind]();
    return [
      problem('holder', why, 'put them together on one member', {
        commands: [`eni-failover status ${service.name}`],
      }),
    ];
  }
  const subject = where.holder;
  if (!service.declaration.members.some((each) => each.instance === subject))
    return [
      problem(
        'holder',
        'it holds the interfaces and is not a member',
        'declare it, or move them to a member',
        {
          subject,
        },
      ),
    ];
  const health = healthOf(memberOf(observation, subject));
  if (health.kind === 'healthy') return [ok('holder', 'it holds them, and is healthy', { subject })];
  return health.kind === 'unknown'
    ? [unknown('holder', health.why, { subject })]
    : [warning('holder', `it has failed: ${health.why}`, 'a failover is due', { subject })];
}

function ofInterface(
  { ok, problem, unknown }: Say,
  observation: Observation,
  eni: EniId,
): readonly Finding[] {
  const fact = interfaceOf(observation, eni);
  const subject = eni;
  if (fact.kind === 'unknown') return [unknown('interfaces', fact.why, { subject })];
  if (fact.kind === 'absent')
    return [problem('interfaces', 'EC2 does not know it any more', 'declare another one', { subject })];
  const { tagged, unmovable, attachment } = fact.value;
  const found: Finding[] = [];
  if (unmovable !== undefined)
    found.push(
      problem('interfaces', `it ${unmovable}`, 'declare a secondary interface of your own', { subject }),
    );
  if (!tagged)
    found.push(
      problem('interfaces', 'it lacks the tag that lets the controller move it', 'tag it', {
        subject,
        commands: [tagIt(eni)],
      }),
    );
  if (attachment?.deleteOnTermination)
    found.push(
      problem(
        'interfaces',
        `it is deleted with ${attachment.instanceId} when that is terminated, addresses and all`,
        'the sweep has it set within minutes; if it comes back, whoever deploys the attachment sets it',
        {
          subject,
          commands: [
            `aws ec2 modify-network-interface-attribute --network-interface-id ${eni} ` +
              `--attachment AttachmentId=${attachment.id},DeleteOnTermination=false`,
          ],
        },
      ),
    );
  return found.length > 0 ? found : [ok('interfaces', 'tagged, and it survives its instance', { subject })];
}

const checkOf: Readonly<Record<MemberReasonCode, CheckId>> = {
  NO_SUCH_MEMBER: 'exists',
  NOT_RUNNING: 'health',
  CHECKS_FAILED: 'health',
  UNKNOWN_HEALTH: 'health',
  NOT_TAGGED: 'tags',
  WRONG_AZ: 'zone',
  LIMIT_REACHED: 'limits',
  INDEX_TAKEN: 'index',
  QUARANTINED: 'cleared',
  NOT_READY: 'cleared',
};

/** What each of them promises when nothing is said against it. */
const fine: Readonly<Partial<Record<CheckId, string>>> = {
  exists: 'it is there',
  health: 'running, its checks pass',
  tags: 'tagged',
  zone: 'in the same zone',
  limits: 'there is room',
  index: 'free, or held by the service itself',
  cleared: 'neither quarantined nor behind',
};

function ofMembers(
  { ok, warning, problem, unknown }: Say,
  facts: ServiceFacts,
  nowMs: number,
): readonly Finding[] {
  const { service, observation } = facts;
  const where = whereabouts(service, observation);
  const holder = where.kind === 'together' ? where.holder : undefined;
  const judged = service.declaration.members
    .filter(({ instance }) => instance !== holder)
    .map((member: Member) => ({
      id: member.instance,
      refusals: refusalsOf(service, observation, member, nowMs),
    }));
  // While one other can take them, what is wrong with this one does not keep the service down.
  const say = judged.some(({ refusals }) => refusals.length === 0) ? warning : problem;
  const none =
    judged.length === 0 ? [problem('exists', 'there is no standby', 'declare a second member')] : [];
  return [
    ...none,
    ...judged.flatMap(({ id, refusals }) => {
      const against = refusals.map(({ code, detail }): Finding => {
        if (code === 'UNKNOWN_HEALTH') return unknown('health', detail, { subject: id });
        const commands =
          code === 'NOT_TAGGED'
            ? [tagIt(id)]
            : code === 'QUARANTINED'
              ? [`eni-failover ack ${service.name} --member ${id} --reason '...'`]
              : [];
        return say(checkOf[code], `${code}: ${detail}`, memberReasons[code].wayOut, {
          subject: id,
          commands,
        });
      });
      // Of an instance that is not there, or cannot be read, nothing else is known.
      const isKnown = memberOf(observation, id as InstanceId).kind === 'known';
      const rest = Object.entries(fine) as [CheckId, string][];
      const said = new Set(against.map((each) => each.id));
      return [
        ...against,
        ...(isKnown
          ? rest
              .filter(([check]) => !said.has(check))
              .map(([check, text]) => ok(check, text, { subject: id }))
          : []),
      ];
    }),
  ];
}

const nameOf = (arn: string) => arn.slice(arn.indexOf(':alarm:') + ':alarm:'.length);

function ofStatusAlarms(
  { ok, warning, unknown }: Say,
  { service, statusAlarms }: ServiceFacts,
): readonly Finding[] {
  if (!service.declaration.signals.statusChecks) return [];
  if (statusAlarms.kind !== 'known')
    return [unknown('status-alarms', statusAlarms.kind === 'unknown' ? statusAlarms.why : 'absent')];
  const patience = service.declaration.policy.confirm / 60_000;
  return service.declaration.members.map(({ instance: subject }) => {
    const own = statusAlarms.value.filter((alarm) => alarm.instanceIds.includes(subject));
    return own.length > 0
      ? ok('status-alarms', own.map(({ arn, metric }) => `${nameOf(arn)} (${metric})`).join(', '), {
          subject,
        })
      : warning(
          'status-alarms',
          `no alarm watches its status checks: a failed one is acted on by the sweep only, after ${patience} min`,
          'make one on StatusCheckFailed, Maximum >= 1, one period of 60 s: docs/guides/detection.md',
          { subject },
        );
  });
}

function ofDeclaredAlarms(
  { ok, warning, problem, unknown }: Say,
  { service, observation }: ServiceFacts,
): readonly Finding[] {
  const { signals, members } = service.declaration;
  const declared = new Set([
    ...signals.alarms.map((each) => each.arn),
    ...members.flatMap((each) => each.readyWhen),
  ]);
  return [...declared].map((arn) => {
    const subject = nameOf(arn);
    const fact = observation.alarms.get(arn);
    if (!fact || fact.kind === 'unknown')
      return unknown('declared-alarms', fact?.why ?? 'it was not looked at', { subject });
    if (fact.kind === 'absent')
      return problem(
        'declared-alarms',
        'CloudWatch knows no such alarm',
        'make it, or take it out of the declaration',
        {
          subject,
        },
      );
    const { state, suppressedBy } = fact.value;
    if (suppressedBy)
      return warning(
        'declared-alarms',
        `its actions are suppressed (${suppressedBy}): it is not listened to`,
        'end the suppression',
        {
          subject,
        },
      );
    return state === 'INSUFFICIENT_DATA'
      ? warning('declared-alarms', 'it has no data', 'see why nothing reports to it', { subject })
      : ok('declared-alarms', `it is ${state}`, { subject });
  });
}

/** The hour's rehearsal tells only what was refused; a drill on record says what was allowed. */
function ofRole({ ok, problem, unknown }: Say, { service, drilled }: ServiceFacts): Finding {
  const { name, lastRefusal } = service;
  const wayOut = 'give the role what docs/architecture.md says, then drill';
  const commands = [`eni-failover drill ${name} --reason '...'`];
  if (lastRefusal?.startsWith('PERMISSION_DENIED'))
    return problem('role-permissions', `the last rehearsal was refused: ${lastRefusal}`, wayOut, {
      commands,
    });
  if (drilled.kind !== 'known')
    return unknown('role-permissions', drilled.kind === 'unknown' ? drilled.why : 'absent');
  if (!drilled.value)
    return ok('role-permissions', 'no rehearsal of the hour was refused; drill asks the role now');
  const { atMs, calls, denied } = drilled.value;
  const at = `at the drill of ${new Date(atMs).toISOString()}`;
  return denied.length > 0
    ? problem('role-permissions', `${at} EC2 refused: ${denied.join('; ')}`, wayOut, { commands })
    : ok('role-permissions', `${at} none of ${calls} calls was refused`);
}

function ofPermissions(say: Say, facts: ServiceFacts): readonly Finding[] {
  const { ok, warning, unknown } = say;
  const { own } = facts;
  const role = ofRole(say, facts);
  if (!own) return [role];
  if (own.kind !== 'known')
    return [role, unknown('own-permissions', own.kind === 'unknown' ? own.why : 'absent')];
  return [
    role,
    ...own.value.map(({ action, answer, detail }) => {
      const subject = action;
      if (answer === 'allowed') return ok('own-permissions', 'allowed', { subject });
      return answer === 'denied'
        ? warning(
            'own-permissions',
            `you may not: ${detail}`,
            'break-glass moves with your permissions: have a role that may, for that night',
            {
              subject,
            },
          )
        : unknown('own-permissions', detail, { subject });
    }),
  ];
}

/** What is wrong with a service, and with what is around it. Pure. */
export function examineService(facts: ServiceFacts, nowMs: number): readonly Finding[] {
  const { service, observation } = facts;
  const say = findingsOf(service.name);
  return [
    say.ok('registered', `by ${service.registeredBy}`),
    ...ofState(say, facts, nowMs),
    ...ofHolder(say, service, observation),
    ...interfacesOf(service).flatMap((eni) => ofInterface(say, observation, eni)),
    ...ofDeclaredAlarms(say, facts),
    ...ofMembers(say, facts, nowMs),
    ...ofStatusAlarms(say, facts),
    ...ofPermissions(say, facts),
    ...examineNetwork(service, facts.network),
  ];
}
