/** What a person would see: answers of commands over the fakes, printed on a terminal that a test describes. */
import type { Answer } from '../../cli/answer.ts';
import { makeAuditClient } from '../../cli/audit-client.ts';
import { makeControlClient } from '../../cli/control-client.ts';
import type { Terminal } from '../../cli/output.ts';
import type { Person } from '../../cli/person.ts';
import type { CommandContext } from '../../cli/program.ts';
import type { Screen } from '../../cli/screen.ts';
import type { Connection } from '../../cli/session.ts';
import { handle as handleQuestion } from '../../functions/audit/handle.ts';
import { handle } from '../../functions/control/handle.ts';
import type { Allowed } from '../../shared/app/register.ts';
import type { CallUrl } from '../../shared/runtime/function-urls.ts';
import { siteOf } from '../fakes/fake-environment.ts';
import { makeFakeTrail } from '../fakes/fake-trail.ts';
import type { World } from '../fakes/world.ts';

/** As in a pipe: no colours, nothing wrapped. */
export const pipe: Terminal = { columns: undefined, style: (_, text) => text };
/** The narrowest terminal that people still use. */
export const narrow: Terminal = { columns: 80, style: (_, text) => text };

/** A screen that remembers what was written, and is told to stop by the test. */
export interface FakeScreen extends Screen {
  readonly written: string[];
  readonly remarks: string[];
  readonly stopping: AbortController;
}

export function makeFakeScreen(more: Partial<Screen> = {}): FakeScreen {
  const written: string[] = [];
  const remarks: string[] = [];
  const stopping = new AbortController();
  return {
    format: 'text',
    isLive: false,
    terminal: () => pipe,
    rows: () => 24,
    write: async (text) => {
      written.push(text);
    },
    remark: (text) => remarks.push(text),
    untilStopped: () => stopping.signal,
    written,
    remarks,
    stopping,
    ...more,
  };
}

/** Somebody at the terminal: types these answers, one for each question, then Ctrl-C; keeps what was said to them. */
export function makePerson(answers: readonly string[] = []) {
  const said: string[] = [];
  const shown: string[] = [];
  const waiting = [...answers];
  const person: Person = {
    isThere: true,
    tell: (text) => said.push(text(narrow)),
    ask: async (question) => {
      said.push(question);
      return waiting.shift();
    },
    show: (line) => shown.push(line),
  };
  return { ...person, said, shown };
}

/** As in a script. */
export const nobody: Person = { ...makePerson(), isThere: false };

/** Who is asking, as IAM says it. */
export const ann = 'arn:aws:iam::111122223333:user/ann';

/** A function behind its URL, as Lambda calls it, without a network and with a made-up identity. */
export const overUrl =
  (
    answer: (event: unknown) => Promise<{ readonly statusCode: number; readonly body: string }>,
    userArn = ann,
  ): CallUrl =>
  async ({ method, url, body }) => {
    const queryStringParameters = Object.fromEntries(url.searchParams);
    const { statusCode, body: said } = await answer({
      version: '2.0',
      rawPath: url.pathname,
      rawQueryString: url.searchParams.toString(),
      headers: { host: url.host },
      ...(url.searchParams.size > 0 && { queryStringParameters }),
      requestContext: { http: { method, path: url.pathname }, authorizer: { iam: { userArn } } },
      ...(body !== undefined && { body }),
      isBase64Encoded: false,
    });
    return { status: statusCode, body: said };
  };

/** A stack that says nothing of what it may do around a move. */
export const nothingSaid: Allowed = {
  fencing: undefined,
  hookDocuments: undefined,
  hookFunctions: undefined,
};

/** The real functions behind the real clients, over the fakes. */
export const connectionTo = ({ ports, store }: World, allowed: Allowed = nothingSaid): Connection => ({
  ports,
  control: makeControlClient(
    () => 'https://control.example/',
    overUrl((event) => handle(event, ports, allowed)),
  ),
  audit: makeAuditClient(
    () => 'https://audit.example/',
    overUrl((event) =>
      handleQuestion(event, {
        ...ports,
        trail: makeFakeTrail(store),
        deadlineMs: ports.clock.now() + 10_000,
      }),
    ),
  ),
  names: {
    queueUrl: 'https://sqs.eu-central-1.amazonaws.com/123456789012/work',
    topicArn: 'arn:aws:sns:eu-central-1:123456789012:notices',
    failoverFunction: 'failover',
  },
});

export const contextOf = (world: World, more: Partial<CommandContext> = {}): CommandContext => ({
  connect: async () => connectionTo(world),
  site: async () => siteOf(world),
  say: (command) => `eni-failover ${command}`,
  screen: makeFakeScreen(),
  now: world.clock.now,
  person: nobody,
  ...more,
});

/** Hashes are left out: they are over records whose content is no matter of the CLI. */
export const seen = (answer: Answer, terminal: Terminal = pipe) =>
  `\n${answer.text(terminal)}\n`.replace(/[0-9a-f]{64}/g, (hash) => '#'.repeat(hash.length));
