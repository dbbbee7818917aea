/** `break-glass`: moves a service straight in EC2 when the controller cannot, and reports it when that is back. */
import type { Command } from 'commander';
import {
  type ByHand,
  commandsByHand,
  moveByHand,
  type Prepared,
  prepareByHand,
} from '../shared/app/break-glass.ts';
import { toNewService } from '../shared/app/new-service.ts';
import { observe } from '../shared/app/observe.ts';
import { planFrom } from '../shared/app/plan-ahead.ts';
import type { Site } from '../shared/app/ports.ts';
import { readService } from '../shared/app/record.ts';
import { everyMember, type Judged } from '../shared/core/eligibility.ts';
import { messageOf } from '../shared/core/errors.ts';
import type { InstanceId, ServiceName } from '../shared/core/ids.ts';
import type { MemberReasonCode } from '../shared/core/reasons.ts';
import { type ControllerState, isPaused, type Service } from '../shared/core/state.ts';
import { type Answer, CliError } from './answer.ts';
import { parseInstanceId, parseReason, parseServiceName } from './arguments.ts';
import { addYes, callOff, mustBeAskable } from './confirm.ts';
import { readDeclarationFile } from './declaration-file.ts';
import { type JournalFile, openJournal, readJournal } from './local-journal.ts';
import { isoOf, type Line, sheet, type Terminal } from './output.ts';
import type { CommandContext, Runner } from './program.ts';

export interface BreakGlassOptions {
  readonly to: InstanceId;
  readonly reason?: string;
  readonly declaration?: string;
  readonly journal?: string;
  readonly force?: true;
  readonly print?: true;
  readonly yes?: true;
}

/** The same keys whatever the outcome. */
interface Data {
  readonly code: string | null;
  readonly detail: string | null;
  readonly service: string;
  readonly to: InstanceId;
  /** Where it rests now; null where it did not come to rest, or nothing was done. */
  readonly on: InstanceId | null;
  readonly warnings: readonly string[];
  /** What is left to do by hand, or all of it with --print. */
  readonly commands: readonly string[];
  readonly journal: string | null;
  readonly reported: boolean;
}

// ── What is moved ───────────────────────────────────────────────────────────────────────────────────────

interface Found {
  readonly service: Service;
  /** Undefined where the table does not answer, or does not know the service. */
  readonly controller: ControllerState | undefined;
}

/** The table first: it knows the lease. The file is for the night in which it does not answer. */
async function findService(
  name: ServiceName,
  options: BreakGlassOptions,
  context: CommandContext,
): Promise<Found> {
  let why: string;
  try {
    const { ports } = await context.connect();
    const service = await readService(ports, name);
    if (service && !service.tombstone) return { service, controller: await ports.store.readController() };
    why = `${name} is not registered`;
  } catch (error) {
    why = `the state table could not be read: ${messageOf(error)}`;
  }
  if (!options.declaration)
    throw new CliError('failed', `${why}; pass --declaration FILE to move what it declares`);
  context.screen.remark(`${why}; ${options.declaration} is taken instead`);
  const { declaration, broken, file } = readDeclarationFile(options.declaration);
  const made = toNewService(declaration);
  const problems =
    broken.length > 0 ? broken.map((each) => each.message) : made.kind === 'invalid' ? made.problems : [];
  if (made.kind === 'invalid' || problems.length > 0)
    throw new CliError('usage', `${file} declares no service: ${problems.join('; ')}`);
  if (made.service.name !== name)
    throw new CliError('usage', `${file} declares ${made.service.name}, not ${name}`);
  return { service: made.service, controller: undefined };
}

type Ready = Extract<Prepared, { readonly kind: 'prepared' }>;

/** Two at work on the same interfaces: each leaves alone what the other did, and neither gets done. */
const beware = (name: ServiceName, mayBeAskedFor: boolean, say: CommandContext['say']) =>
  `the state table answers: if the controller lives too, pause it first (${say(`pause ${name} --for 1h --reason '...'`)})` +
  (mayBeAskedFor ? ', or better switch over' : '');

/** Would control take a switchover? Whoever is sent there in vain, as with a stranded service, loses minutes. */
async function mayBeAskedFor(
  site: Site,
  service: Service,
  controller: ControllerState,
  to: InstanceId,
): Promise<boolean> {
  const observation = await observe(site, service);
  return planFrom({ service, controller, observation, nowMs: site.clock.now() }, to).wouldMove;
}

interface Fallback {
  readonly instance: InstanceId;
  /** Why it is no good one either; it is named only where nobody else is better. */
  readonly against: string | undefined;
}

/** What EC2 itself would refuse. */
const isImpossible: ReadonlySet<MemberReasonCode> = new Set([
  'NO_SUCH_MEMBER',
  'NOT_RUNNING',
  'WRONG_AZ',
  'INDEX_TAKEN',
  'LIMIT_REACHED',
]);
const hasFailed: ReadonlySet<MemberReasonCode> = new Set(['CHECKS_FAILED', 'QUARANTINED']);

/** The worst of its reasons counts. */
function rankOf({ refusals }: Judged): number {
  if (refusals.some(({ code }) => isImpossible.has(code))) return 3;
  if (refusals.some(({ code }) => hasFailed.has(code))) return 2;
  return refusals.length > 0 ? 1 : 0;
}

/** Who takes the interfaces if the target refuses: of those that are no worse than any, the one they came from. */
async function fallbackOf(site: Site, service: Service, { plan }: Ready): Promise<Fallback | undefined> {
  const observation = await observe(site, service);
  const isSource = ({ member }: Judged) => (member === plan.source ? 0 : 1);
  const [best] = everyMember(service, observation, undefined, site.clock.now())
    .filter((each) => each.member !== plan.target && rankOf(each) < 3)
    .toSorted((one, other) => rankOf(one) - rankOf(other) || isSource(one) - isSource(other));
  if (!best) return undefined;
  const against = best.refusals.map(({ code, detail }) => `${code}: ${detail}`).join('; ');
  return { instance: best.member, against: against || undefined };
}

const isSame = (one: Ready, other: Ready) => JSON.stringify(one.plan) === JSON.stringify(other.plan);

// ── What is said ────────────────────────────────────────────────────────────────────────────────────────

function planText(name: ServiceName, { plan, facts, warnings }: Ready, terminal: Terminal): string {
  const from = (eni: string) => {
    const fact = [...facts].find(([id]) => id === eni)?.[1];
    const attachment = fact?.kind === 'known' ? fact.value.attachment : undefined;
    return attachment ? `${attachment.status} on ${attachment.instanceId}` : 'on nothing';
  };
  const lines: Line[] = plan.interfaces.map(({ eni, deviceIndex }) => ({
    label: 'interface',
    subject: eni,
    text: `${from(eni)} → ${plan.target}, device index ${deviceIndex}`,
  }));
  return [
    terminal.style('bold', `${name} is moved past the controller, with your own permissions`),
    '',
    sheet(
      [
        ...lines,
        { label: 'detach', text: plan.detach === 'force' ? 'forced: the guest is not asked' : 'plain' },
        {
          label: 'way back',
          text: plan.source ? `to ${plan.source}, if ${plan.target} refuses` : 'none: nothing had them',
        },
        ...warnings.map((text): Line => ({ label: 'WARNING', text, style: 'yellow' })),
      ],
      terminal,
    ),
    '',
    'Every connection to its addresses ends. No hook runs, and nothing is fenced:',
    'whatever else the service needs is yours to do.',
  ].join('\n');
}

const base = (name: ServiceName, { to }: BreakGlassOptions): Data => ({
  code: null,
  detail: null,
  service: name,
  to,
  on: null,
  warnings: [],
  commands: [],
  journal: null,
  reported: false,
});

function refusedAnswer(data: Data, wayOut: string): Answer {
  return {
    outcome: 'refused',
    data: { ...data },
    text: ({ style }) => `${style('red', `nothing was done (${data.code})`)}: ${data.detail}; ${wayOut}`,
  };
}

function printAnswer(
  name: ServiceName,
  options: BreakGlassOptions,
  { plan, facts, warnings }: Ready,
  fallback: Fallback | undefined,
): Answer {
  const commands = commandsByHand(plan, facts);
  const { instance, against } = fallback ?? {};
  return {
    outcome: 'done',
    data: { ...base(name, options), warnings, commands },
    text: () =>
      [
        `# ${name} to ${plan.target}. Run them in this order; nothing was done yet.`,
        '# wait looks every 20 s only: an attach that comes too early is refused, and may be repeated at once.',
        ...warnings.map((each) => `# WARNING: ${each}`),
        ...commands,
        ...(instance
          ? [
              `# If an attach is refused: the same attach with --instance-id ${instance}. Leave nothing detached.`,
              ...(against
                ? [`# WARNING: ${instance} is not eligible either, nor is any other: ${against}`]
                : []),
            ]
          : []),
      ].join('\n'),
  };
}

function endAnswer(data: Data, end: ByHand, next: readonly string[]): Answer {
  const { detail, commands } = data;
  const outcome = { moved: 'done', returned: 'refused', refused: 'refused', stopped: 'needs-human' } as const;
  const free = [...end.facts].flatMap(([eni, fact]) =>
    fact.kind === 'known' && !fact.value.attachment ? [eni] : [],
  );
  return {
    outcome: outcome[end.kind],
    data: { ...data },
    text: ({ style }) =>
      [
        style(end.kind === 'moved' ? 'green' : 'red', detail ?? ''),
        ...(end.kind === 'stopped' && free.length > 0
          ? [
              style(
                'red',
                `ATTACHED TO NOTHING: ${free.join(', ')}. Nobody reaches the service until they are attached.`,
              ),
            ]
          : []),
        ...(commands.length > 0 ? ['', 'What is left to do', ...commands.map((each) => `  ${each}`)] : []),
        ...next,
      ].join('\n'),
  };
}

// ── The commands ────────────────────────────────────────────────────────────────────────────────────────

async function report(
  context: CommandContext,
  service: ServiceName,
  reason: string,
  journal: ReturnType<typeof readJournal>['journal'],
): Promise<string | undefined> {
  try {
    const { control } = await context.connect();
    const answer = await control.send('report', { service, reason, journal });
    return answer.kind === 'done' ? undefined : `${answer.code}: ${answer.detail}`;
  } catch (error) {
    return messageOf(error);
  }
}

async function carryOut(
  context: CommandContext,
  site: Site,
  ready: Ready,
  journal: JournalFile,
): Promise<ByHand> {
  const { screen } = context;
  // Between a detach and an attach nobody ends it by accident; a second Ctrl-C still does.
  screen
    .untilStopped()
    .addEventListener('abort', () =>
      screen.remark(
        'it goes on to its end: what is detached must not stay on nothing; Ctrl-C again breaks it off',
      ),
    );
  try {
    return await moveByHand(
      { clock: site.clock, ec2: site.ec2, random: site.random, journal: journal.write, tell: screen.remark },
      ready,
    );
  } finally {
    journal.close();
  }
}

export async function breakGlassMove(
  name: ServiceName,
  options: BreakGlassOptions,
  context: CommandContext,
): Promise<Answer> {
  const { to, print, yes, reason = '' } = options;
  if (!print) mustBeAskable(context, yes === true);
  const site = await context.site();
  const prepare = async ({ service, controller }: Found): Promise<Prepared> => {
    const prepared = await prepareByHand(site, service, to, { force: options.force === true });
    if (prepared.kind === 'refused' || !controller || isPaused(service.pause, site.clock.now()))
      return prepared;
    const isBetter = await mayBeAskedFor(site, service, controller, to);
    return { ...prepared, warnings: [...prepared.warnings, beware(name, isBetter, context.say)] };
  };
  const found = await findService(name, options, context);
  const first = await prepare(found);
  if (first.kind === 'refused')
    return refusedAnswer({ ...base(name, options), code: first.code, detail: first.detail }, first.wayOut);
  if (print) return printAnswer(name, options, first, await fallbackOf(site, found.service, first));

  const off = await callOff(context, name, yes === true, (terminal) => planText(name, first, terminal));
  if (off) return refusedAnswer({ ...base(name, options), ...off }, 'run it again when you are sure');
  if (yes) for (const each of first.warnings) context.screen.remark(`WARNING: ${each}`);
  // Somebody may have read for minutes.
  const ready = await prepare(await findService(name, options, context));
  if (ready.kind === 'refused' || !isSame(first, ready)) {
    const detail =
      ready.kind === 'refused' ? ready.detail : 'EC2 shows something else than it did before the question';
    const code = ready.kind === 'refused' ? ready.code : 'CHANGED_MEANWHILE';
    return refusedAnswer({ ...base(name, options), code, detail }, 'look again');
  }

  const file =
    options.journal ?? `break-glass-${name}-${isoOf(site.clock.now()).replace(/[:.]/g, '-')}.ndjson`;
  const end = await carryOut(context, site, ready, openJournal(file, name));
  const { journal } = readJournal(file);
  const why = end.kind === 'refused' ? 'nothing was changed' : await report(context, name, reason, journal);
  const again = context.say(`break-glass report ${file} --reason '${reason.replaceAll("'", "'\\''")}'`);
  const details = {
    moved: () => `${name} is on ${end.kind === 'moved' ? end.on : to}`,
    returned: () =>
      `${name} is back on ${end.kind === 'returned' ? end.on : ''}: ${'why' in end ? end.why : ''}`,
    refused: () => `nothing was changed: ${'why' in end ? end.why : ''}`,
    stopped: () => `${name} did not come to rest: ${'why' in end ? end.why : ''}`,
  };
  const codes = {
    moved: null,
    returned: 'RETURNED_TO_SOURCE',
    refused: 'REFUSED',
    stopped: 'NEEDS_HUMAN',
  } as const;
  const data: Data = {
    ...base(name, options),
    code: codes[end.kind],
    detail: details[end.kind](),
    on: end.kind === 'moved' || end.kind === 'returned' ? end.on : null,
    warnings: ready.warnings,
    commands: end.kind === 'refused' ? [] : commandsByHand(end.plan, end.facts),
    journal: file,
    reported: why === undefined,
  };
  const unreported =
    why !== undefined && end.kind !== 'refused'
      ? ['', `The controller could not be told (${why}). Once it answers:`, `  ${again}`]
      : [];
  // Whoever writes the night down need not wonder whether it is on record.
  const reported =
    data.reported && end.kind !== 'refused'
      ? ['', 'Reported to the controller:', `  ${context.say(`history ${name} --kind break-glass`)}`]
      : [];
  const adopting =
    end.kind === 'moved'
      ? ['', 'Accept it there as where the service is:', `  ${context.say(`adopt ${name} --reason '...'`)}`]
      : [];
  return endAnswer(data, end, [...unreported, ...reported, ...adopting]);
}

export async function breakGlassReport(
  file: string,
  reason: string,
  { connect }: CommandContext,
): Promise<Answer> {
  const { service, journal } = readJournal(file);
  const { control } = await connect();
  const answer = await control.send('report', { service, reason, journal });
  const isDone = answer.kind === 'done';
  return {
    outcome: answer.kind,
    data: { code: answer.code, detail: answer.detail, service, file, lines: journal.length },
    text: ({ style }) =>
      isDone
        ? style('green', `${service}: ${answer.detail}`)
        : `${style('red', `nothing was done (${answer.code})`)}: ${answer.detail}`,
  };
}

export function addBreakGlass(program: Command, { run, say }: Runner): void {
  const group = program
    .command('break-glass')
    .summary('when the controller is down: move a service straight in EC2')
    .description('For the night in which Lambda or DynamoDB is down: acts in EC2 with your own permissions.');
  const move = group
    .command('move')
    .summary('move the interfaces of a service to a member')
    .description(
      'Detaches and attaches with your own permissions, keeps a journal on this machine, and reports it when the ' +
        'controller answers. Refuses while the controller itself is at work. If the member refuses, the interfaces ' +
        'go back. Broken off in the middle, the same command goes on.',
    )
    .argument('<service>', 'a service', parseServiceName)
    .requiredOption('--to <instance>', 'the member that takes the interfaces', parseInstanceId)
    .option('--reason <text>', 'why; needed unless --print', parseReason)
    .option('--declaration <file.yaml>', 'what is declared, for when the table does not answer')
    .option('--journal <file>', 'where to keep the journal (default: here, with the time)')
    .option('--force', 'force the detach: of a member that has failed, or does not let go')
    .option('--print', 'print the aws ec2 commands instead, with all ids');
  addYes(move)
    .action((name: ServiceName, options: BreakGlassOptions, command: Command) => {
      if (!options.reason && !options.print)
        command.error("error: required option '--reason <text>' not specified");
      return run(command, (context) => breakGlassMove(name, options, context));
    })
    .addHelpText(
      'after',
      `
Examples:
  ${say('break-glass move orders-db --to i-0a1b2c3d4e5f60002 --print')}
  ${say("break-glass move orders-db --to i-0a1b2c3d4e5f60002 --reason 'DynamoDB is down'")}`,
    );
  group
    .command('report')
    .summary('report the journal of a move to the controller')
    .description(
      'Puts what a break-glass move did into the audit trail, once functions/control answers again.',
    )
    .argument('<file>', 'the journal that the move kept')
    .requiredOption('--reason <text>', 'why it was moved', parseReason)
    .action((file: string, { reason }: { readonly reason: string }, command: Command) =>
      run(command, (context) => breakGlassReport(file, reason, context)),
    )
    .addHelpText(
      'after',
      `
Example:
  ${say("break-glass report break-glass-orders-db-2026-11-21.ndjson --reason 'DynamoDB was down'")}`,
    );
}
