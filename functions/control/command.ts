/** Every command an operator may give, as data: what its body must be, and the use case that does it. */
import * as v from 'valibot';
import { adopt } from '../../shared/app/adopt.ts';
import { reportBreakGlass } from '../../shared/app/break-glass-report.ts';
import { drill, recordDrill } from '../../shared/app/drill.ts';
import { setMode } from '../../shared/app/mode.ts';
import {
  acknowledge,
  type By,
  type Operated,
  pauseController,
  pauseService,
  releaseBrake,
  resumeController,
  resumeService,
  testNotice,
} from '../../shared/app/operate.ts';
import { planAhead } from '../../shared/app/plan-ahead.ts';
import type { Ports } from '../../shared/app/ports.ts';
import { type Allowed, type Registered, register } from '../../shared/app/register.ts';
import { replaceMember } from '../../shared/app/replace-member.ts';
import { failback, switchover } from '../../shared/app/request.ts';
import { unregister } from '../../shared/app/unregister.ts';
import { ReasonSchema } from '../../shared/core/control.ts';
import { InstanceIdSchema, type ServiceName, ServiceNameSchema } from '../../shared/core/ids.ts';
import { problemsOf } from '../../shared/core/problems.ts';

/** Who gave the command, and what it is carried out with. */
export interface Given {
  readonly ports: Ports;
  readonly author: string;
  /** What the deployed stack may do around a move. */
  readonly allowed: Allowed;
}

interface About {
  readonly service: string | null;
  readonly detail: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** What a command did, or why it did nothing. */
export type Done =
  | (About & { readonly kind: 'done' })
  | (About & {
      readonly kind: 'refused';
      readonly code: string;
      /** Each thing that stands in the way, where it is more than one. */
      readonly problems?: readonly string[];
    });

export type Prepared =
  | { readonly kind: 'ready'; readonly run: (given: Given) => Promise<Done> }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

/** Reads a body; nothing is asked or done before `run`. */
export type Command = (body: unknown) => Prepared;

/** `run` gets what the schema lets through; every problem of a body is named at once. */
const command =
  <T>(schema: v.GenericSchema<unknown, T>, run: (given: Given, body: T) => Promise<Done>): Command =>
  (body) => {
    const result = v.safeParse(schema, body);
    return result.success
      ? { kind: 'ready', run: (given) => run(given, result.output) }
      : { kind: 'invalid', problems: problemsOf(result.issues, schema) };
  };

const service = ServiceNameSchema;
const reason = ReasonSchema;
const all = v.optional(v.literal(true, 'must be true'));
/** Milliseconds. */
const forMs = v.pipe(v.number(), v.integer(), v.minValue(1, 'must be longer than nothing'));
const flag = v.optional(v.boolean(), false);
const zone = v.pipe(v.string(), v.regex(/^[a-z]{2}-[a-z0-9-]*\d[a-z]$/, 'must look like us-east-1a'));

/** What a person did in EC2 by hand, one call. */
const journalEntry = v.strictObject({
  at: v.pipe(v.string(), v.isoTimestamp('must be a time such as 2026-11-21T02:11:30Z')),
  call: v.pipe(v.string(), v.nonEmpty('must name what was done')),
  detail: v.optional(v.string(), ''),
});

const episodeId = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9][a-z0-9-]{0,62}\.\d{1,12}$/, 'must be the id of an episode, such as orders-db.7'),
);

const on = (name: ServiceName | undefined, operated: Operated): Done => ({
  ...operated,
  service: name ?? null,
});
const byOf = ({ author }: Given, body: { readonly reason: string }): By => ({ author, reason: body.reason });

/** What a declaration calls itself, if it says so. */
function nameIn(declaration: unknown): ServiceName | null {
  const named = v.safeParse(v.object({ name: ServiceNameSchema }), declaration);
  return named.success ? named.output.name : null;
}

function toDone(registered: Registered, declaration: unknown, dryRun: boolean): Done {
  if (registered.kind === 'rejected') {
    const { code, problems } = registered;
    const detail = `not registered: ${problems.join('; ')}`;
    const data = { change: 'rejected', holder: null, changes: [], warnings: [] };
    return { kind: 'refused', service: nameIn(declaration), code, detail, data, problems };
  }
  const { holder, warnings } = registered;
  const changes = registered.kind === 'registered' ? registered.changes : [];
  const change = registered.kind === 'unchanged' ? 'unchanged' : registered.isNew ? 'registered' : 'changed';
  const detail = {
    registered: dryRun ? 'would be registered' : 'registered',
    changed: dryRun ? 'the registration would be changed' : 'the registration is changed',
    unchanged: 'registered like this already: nothing changed',
  }[change];
  return on(registered.name, { kind: 'done', detail, data: { change, holder, changes, warnings } });
}

/** A registration in other words: what stands in its way is named one by one. */
function toReplaced(name: ServiceName, operated: Operated): Done {
  const problems = v.safeParse(v.object({ problems: v.array(v.string()) }), operated.data);
  const done = on(name, operated);
  return done.kind === 'refused' && problems.success ? { ...done, ...problems.output } : done;
}

const registerBody = v.strictObject({
  declaration: v.unknown(),
  reason: v.optional(reason),
  source: v.optional(v.pipe(v.string(), v.trim(), v.nonEmpty('must name it'), v.maxLength(2_048))),
  takeOver: flag,
  dryRun: flag,
});
const pauseBody = v.pipe(
  v.strictObject({ service: v.optional(service), all, reason, forMs }),
  v.check((body) => 'service' in body !== 'all' in body, 'name one of service or all'),
);
const resumeBody = v.pipe(
  v.strictObject({ service: v.optional(service), all, reason }),
  v.check((body) => 'service' in body !== 'all' in body, 'name one of service or all'),
);
const acknowledgeBody = v.pipe(
  v.strictObject({
    service: v.optional(service),
    zone: v.optional(zone),
    reason,
    member: v.optional(InstanceIdSchema),
  }),
  v.check((body) => 'service' in body !== 'zone' in body, 'name one of service or zone'),
  v.check((body) => !('zone' in body && 'member' in body), 'member belongs to a service, not to a zone'),
);

/** By the last part of the path, `/v1/<command>`. */
export const commands: Readonly<Record<string, Command>> = {
  register: command(registerBody, async ({ ports, author, allowed }, { declaration, ...how }) => {
    const { reason: why, source, takeOver, dryRun } = how;
    const request = {
      ...{ declaration, author, allowed, takeOver, dryRun },
      ...(why && { reason: why }),
      ...(source && { source }),
    };
    return toDone(await register(ports, request), declaration, dryRun);
  }),
  unregister: command(v.strictObject({ service, reason }), async (given, body) =>
    on(body.service, await unregister(given.ports, body.service, byOf(given, body))),
  ),
  'replace-member': command(
    v.strictObject({ service, old: InstanceIdSchema, new: InstanceIdSchema, reason }),
    async (given, body) => {
      const { service: name, old, new: by } = body;
      const { ports, allowed } = given;
      return toReplaced(name, await replaceMember(ports, name, { old, by }, byOf(given, body), allowed));
    },
  ),
  adopt: command(v.strictObject({ service, reason }), async (given, body) =>
    on(body.service, await adopt(given.ports, body.service, byOf(given, body))),
  ),
  mode: command(
    v.strictObject({ service, mode: v.picklist(['act', 'observe']), reason }),
    async (given, body) =>
      on(body.service, await setMode(given.ports, body.service, body.mode, byOf(given, body))),
  ),
  pause: command(pauseBody, async (given, body) => {
    const request = { ...byOf(given, body), forMs: body.forMs };
    return body.service
      ? on(body.service, await pauseService(given.ports, body.service, request))
      : on(undefined, await pauseController(given.ports, request));
  }),
  resume: command(resumeBody, async (given, body) => {
    const by = byOf(given, body);
    return body.service
      ? on(body.service, await resumeService(given.ports, body.service, by))
      : on(undefined, await resumeController(given.ports, by));
  }),
  acknowledge: command(acknowledgeBody, async (given, body) => {
    const by = byOf(given, body);
    if (body.service) return on(body.service, await acknowledge(given.ports, body.service, by, body.member));
    return on(undefined, await releaseBrake(given.ports, body.zone ?? '', by));
  }),
  plan: command(v.strictObject({ service, to: v.optional(InstanceIdSchema) }), async ({ ports }, body) => {
    const ahead = await planAhead(ports, body.service, body.to);
    if (ahead.kind === 'refused') return on(body.service, ahead);
    const detail = ahead.wouldMove ? `would move to ${ahead.target}` : 'would not move';
    return on(body.service, { kind: 'done', detail, data: { ...ahead } });
  }),
  switchover: command(
    v.strictObject({ service, to: InstanceIdSchema, reason, force: flag }),
    async (given, body) => {
      const { service: name, to, force } = body;
      return on(name, await switchover(given.ports, name, to, byOf(given, body), { force }));
    },
  ),
  failback: command(v.strictObject({ service, reason }), async (given, body) =>
    on(body.service, await failback(given.ports, body.service, byOf(given, body))),
  ),
  drill: command(v.strictObject({ service, reason }), async (given, body) =>
    on(body.service, await drill(given.ports, body.service, byOf(given, body))),
  ),
  'record-drill': command(
    v.strictObject({ service, there: episodeId, back: episodeId, reason }),
    async (given, { service: name, there, back, ...body }) =>
      on(name, await recordDrill(given.ports, name, { there, back }, byOf(given, body))),
  ),
  'test-notice': command(v.strictObject({ reason }), async (given, body) =>
    on(undefined, await testNotice(given.ports, byOf(given, body))),
  ),
  report: command(
    v.strictObject({ service, reason, journal: v.pipe(v.array(journalEntry), v.minLength(1, 'is empty')) }),
    async (given, body) =>
      on(body.service, await reportBreakGlass(given.ports, body.service, body.journal, byOf(given, body))),
  ),
};
