/** `doctor`: would a failover work, would anybody hear of it, and what bites later? Reads only, but for a notice on request. */
import type { Command } from 'commander';
import { type CheckId, checks, type Finding, findingsOf, type Verdict } from '../shared/app/doctor.ts';
import { examineService, lookAtService } from '../shared/app/doctor-service.ts';
import { examineStack, lookAtStack } from '../shared/app/doctor-stack.ts';
import type { Site } from '../shared/app/ports.ts';
import { readService } from '../shared/app/record.ts';
import { InvalidInputError, messageOf } from '../shared/core/errors.ts';
import type { ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { parseServiceName } from './arguments.ts';
import { type Line, type Style, sheet, type Terminal } from './output.ts';
import type { CommandContext, Runner } from './program.ts';
import type { Say } from './service-view.ts';
import type { Connection } from './session.ts';

export interface DoctorOptions {
  readonly all?: true;
  readonly testNotice?: true;
}

/** Worst first. */
const verdicts: readonly Verdict[] = ['problem', 'warning', 'unknown', 'ok'];
const styles: Readonly<Record<Verdict, Style | undefined>> = {
  problem: 'red',
  warning: 'yellow',
  unknown: 'yellow',
  ok: 'green',
};

/** Undefined where it is not registered. */
async function examine(
  site: Site,
  { ports }: Connection,
  name: ServiceName,
  ownAddress: string | undefined,
): Promise<readonly Finding[] | undefined> {
  const say = findingsOf(name);
  try {
    const service = await readService(ports, name);
    if (!service || service.tombstone) return undefined;
    return examineService(await lookAtService(site, ports.store, service, ownAddress), site.clock.now());
  } catch (error) {
    return error instanceof InvalidInputError
      ? [say.problem('registered', `its item cannot be understood: ${error.message}`, 'register it again')]
      : [say.unknown('registered', messageOf(error))];
  }
}

async function sendNotice({ control }: Connection): Promise<Finding> {
  const say = findingsOf(null);
  try {
    const answer = await control.send('test-notice', { reason: 'asked for by doctor' });
    return answer.kind === 'done'
      ? say.ok('test-notice', `${answer.detail}; it should be with those who subscribe`)
      : say.warning('test-notice', answer.detail, 'see why it was refused');
  } catch (error) {
    return say.warning('test-notice', messageOf(error), 'nobody hears of a failover until it works');
  }
}

/** `eni-failover …` as it has to be typed here. */
const typed = (command: string, say: Say) => command.replace(/^eni-failover /, () => say(''));

const countOf = (findings: readonly Finding[]) =>
  Object.fromEntries(
    verdicts.map((verdict) => [verdict, findings.filter((each) => each.result === verdict).length]),
  ) as Record<Verdict, number>;

const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

/** What holds back failovers that would work; where the interfaces are on nothing, it is no such one. */
const holdsBack: ReadonlySet<CheckId> = new Set(['brakes', 'state']);

function verdictOf(findings: readonly Finding[]): string {
  const problems = findings.filter(({ result }) => result === 'problem');
  return problems.every(({ id }) => holdsBack.has(id))
    ? 'a failover would NOT happen now'
    : 'a failover would NOT work';
}

function headline(findings: readonly Finding[], { style }: Terminal): string {
  const { problem, warning, unknown, ok } = countOf(findings);
  const fine = `${plural(ok, 'check')} fine`;
  if (problem + warning + unknown === 0) return style('green', `everything looks well: ${fine}`);
  const said = [
    ...(problem > 0 ? [plural(problem, 'problem')] : []),
    ...(warning > 0 ? [plural(warning, 'warning')] : []),
    ...(unknown > 0 ? [`${unknown} unknown`] : []),
  ].join(', ');
  return `${style(problem > 0 ? 'red' : 'yellow', problem > 0 ? `${verdictOf(findings)}: ${said}` : said)}; ${fine}`;
}

function toLine({ id, subject, result, reason, wayOut }: Finding): Line {
  return {
    label: id,
    ...(subject !== null && { subject }),
    text: `${result === 'problem' ? 'PROBLEM' : result}: ${reason}${wayOut ? ` → ${wayOut}` : ''}`,
    style: styles[result],
  };
}

function section(title: string, findings: readonly Finding[], terminal: Terminal): string[] {
  if (findings.length === 0) return [];
  const order = Object.keys(checks);
  const place = (id: CheckId) => order.indexOf(id);
  const sorted = findings.toSorted(
    (one, other) =>
      verdicts.indexOf(one.result) - verdicts.indexOf(other.result) || place(one.id) - place(other.id),
  );
  return ['', terminal.style('bold', title), sheet(sorted.map(toLine), terminal)];
}

function toText(
  findings: readonly Finding[],
  services: readonly ServiceName[],
  showAll: boolean,
  terminal: Terminal,
  say: Say,
): string {
  const shown = findings.filter((each) => showAll || each.result !== 'ok');
  const commands = new Set(shown.flatMap((each) => each.commands).map((each) => typed(each, say)));
  return [
    headline(findings, terminal),
    ...section(
      'the stack',
      shown.filter((each) => each.service === null),
      terminal,
    ),
    ...services.flatMap((name) =>
      section(
        name,
        shown.filter((each) => each.service === name),
        terminal,
      ),
    ),
    // Never wrapped: they are there to be copied.
    ...(commands.size > 0 ? ['', 'Ways out', ...[...commands].map((each) => `  ${each}`)] : []),
  ].join('\n');
}

/** `ownAddress`: the address of this machine at which the operator's session came in. */
export async function doctorCommand(
  name: ServiceName | undefined,
  options: DoctorOptions,
  ownAddress: string | undefined,
  context: CommandContext,
): Promise<Answer> {
  const [site, connection] = [await context.site(), await context.connect()];
  const { ports, names } = connection;
  const facts = await lookAtStack(site, ports.store, names);
  const services = name ? [name] : facts.services.kind === 'known' ? facts.services.value : [];
  const found = [...examineStack(facts, names, site.clock.now())];
  if (options.testNotice) found.push(await sendNotice(connection));
  for (const each of services) {
    const ofService = await examine(site, connection, each as ServiceName, ownAddress);
    if (ofService) found.push(...ofService);
    else if (name) return notRegistered(name, context.say);
  }
  return {
    outcome: found.some((each) => each.result === 'problem') ? 'needs-human' : 'done',
    data: {
      code: null,
      detail: null,
      services,
      counts: countOf(found),
      findings: found.map(({ wayOut, commands, ...each }) => ({
        ...each,
        group: checks[each.id].group,
        means: checks[each.id].means,
        wayOut: wayOut ?? null,
        commands: commands.map((command) => typed(command, context.say)),
      })),
    },
    text: (terminal) =>
      toText(found, services as readonly ServiceName[], options.all === true, terminal, context.say),
  };
}

function notRegistered(name: ServiceName, say: Say): Answer {
  const detail = `${name} is not registered`;
  return {
    outcome: 'refused',
    data: { code: 'NO_SUCH_SERVICE', detail, services: [], counts: countOf([]), findings: [] },
    text: () => `${detail}. What is registered:  ${say('status')}`,
  };
}

/** `CLIENT PORT SERVER PORT`, as sshd tells it. */
const ownAddressIn = (env: Readonly<Record<string, string | undefined>>) =>
  env['SSH_CONNECTION']?.split(' ')[2];

export function addDoctor(program: Command, { run, say }: Runner): void {
  program
    .command('doctor')
    .summary('find out today what would go wrong in the night')
    .description(
      'Checks the stack and the services: rules, alarms, queues, heartbeat, who receives the notices; tags, zones, ' +
        'limits, permissions; and what bites later, such as security groups, routes and public addresses. Changes ' +
        'nothing. Exits with 4 if a failover would not work, or would not happen.',
    )
    .argument('[service]', 'a registered service; all of them if none is named', parseServiceName)
    .option('--all', 'show also what is fine')
    .option('--test-notice', 'send a notice to everybody who subscribes')
    .action((name: ServiceName | undefined, options: DoctorOptions, command: Command) =>
      run(command, (context) => doctorCommand(name, options, ownAddressIn(process.env), context)),
    )
    .addHelpText(
      'after',
      `
Examples:
  ${say('doctor')}
  ${say('doctor orders-db --all')}
  ${say('doctor --test-notice')}`,
    );
}
