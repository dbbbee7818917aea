/** What is watched is changed: what that means is shown, the service's name is asked for, and control does it. */
import { statusOf } from '../shared/app/status.ts';
import type { ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { callOff, mustBeAskable } from './confirm.ts';
import { type Line, sheet, wrapped } from './output.ts';
import type { CommandContext } from './program.ts';
import { type Say, type ServiceView, toServiceView } from './service-view.ts';
import type { Connection } from './session.ts';

export interface ChangeOptions {
  readonly reason: string;
  readonly yes?: true;
}

export interface Wish {
  readonly service: ServiceName;
  /** As control calls it. */
  readonly command: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** In one sentence, from how the service is now. */
  readonly headline: (view: ServiceView) => string;
  readonly lines: (view: ServiceView) => readonly Line[];
}

async function viewOf({ ports }: Connection, service: ServiceName, say: Say) {
  const status = await statusOf(ports, service);
  return status && toServiceView(status, say);
}

interface Data {
  readonly service: string;
  readonly author: string | null;
  readonly code: string | null;
  readonly detail: string;
  /** What control said beside it, by command. */
  readonly result: Readonly<Record<string, unknown>>;
}

function refusedAnswer(data: Data, { say }: CommandContext): Answer {
  const { service, code, detail } = data;
  const look =
    code === 'NO_SUCH_SERVICE'
      ? `What is registered:  ${say('status')}`
      : `How it is:  ${say(`status ${service}`)}`;
  const first =
    code === 'NOT_TOGETHER' ? 'Attach them all to one member first; status has the commands.' : undefined;
  return {
    outcome: 'refused',
    data: { ...data },
    text: (terminal) => {
      const refusal = terminal.style('red', `nothing was done (${code}): ${detail}`);
      return [wrapped(refusal, terminal), ...(first ? ['', first] : []), '', look].join('\n');
    },
  };
}

/** What these change stands in a file as well, that the controller never sees. */
const inFile: ReadonlySet<string> = new Set(['mode', 'replace-member']);

export async function change(context: CommandContext, wish: Wish, options: ChangeOptions): Promise<Answer> {
  const { service, command, body, headline, lines } = wish;
  mustBeAskable(context, options.yes === true);
  const nothingDone = (code: string, detail: string) =>
    refusedAnswer({ service, author: null, code, detail, result: {} }, context);
  const connection = await context.connect();
  if (!options.yes) {
    const view = await viewOf(connection, service, context.say);
    if (!view) return nothingDone('NO_SUCH_SERVICE', `${service} is not registered`);
    const off = await callOff(context, service, false, (terminal) =>
      [terminal.style('bold', headline(view)), '', sheet(lines(view), terminal)].join('\n'),
    );
    if (off) return nothingDone(off.code, off.detail);
  }
  const answer = await connection.control.send(command, { service, reason: options.reason, ...body });
  const { author, code, detail, data: result } = answer;
  const data: Data = { service, author, code, detail, result };
  if (answer.kind === 'refused') return refusedAnswer(data, context);
  const warnings = (result['warnings'] ?? []) as readonly string[];
  return {
    outcome: 'done',
    data: { ...data },
    text: ({ style }) =>
      [
        style('green', `${service}: ${detail}`),
        ...(warnings.length > 0
          ? ['', style('yellow', 'Warnings'), ...warnings.map((each) => `  ${each}`)]
          : []),
        ...(inFile.has(command)
          ? ['', 'Change your declaration file too: registering it as it is would undo this.']
          : []),
        ...(command === 'unregister' ? [] : ['', `How it is:  ${context.say(`status ${service}`)}`]),
      ].join('\n'),
  };
}
