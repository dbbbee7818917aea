/** One operator's command: parsed, carried out in the name of whom IAM says, and answered with what became of it. */
import type { Ports } from '../../shared/app/ports.ts';
import type { Allowed } from '../../shared/app/register.ts';
import type { ControlDocument } from '../../shared/core/control.ts';
import { InvalidInputError, messageOf, PortError } from '../../shared/core/errors.ts';
import { nearestKey } from '../../shared/core/problems.ts';
import { respond as toResponse, type UrlResponse } from '../../shared/core/url-response.ts';
import { commands, type Given, type Prepared } from './command.ts';
import { type Call, parseCall } from './event.ts';

const respond = (statusCode: number, document: ControlDocument, more?: Readonly<Record<string, string>>) =>
  toResponse(statusCode, document, more);

const invalid = (command: string | null, ...problems: string[]): ControlDocument => ({
  kind: 'invalid',
  command,
  problems,
});

function unknownCommand(name: string | undefined): UrlResponse {
  const known = Object.keys(commands);
  if (name === undefined)
    return respond(404, invalid(null, `path: must be /v1/COMMAND, with one of ${known.join(', ')}`));
  const nearest = nearestKey(name, known);
  const help = nearest ? `did you mean ${nearest}?` : `known here: ${known.join(', ')}`;
  return respond(404, invalid(name, `${name}: is not a known command; ${help}`));
}

/** Why a command did not come to an end. Whoever reads the log finds more than whoever called. */
function failed(error: unknown, { command, author }: Call, { ports }: Omit<Given, 'author'>): UrlResponse {
  const facts = { command, author, error: messageOf(error) };
  if (error instanceof PortError) {
    ports.log.warn('a command could not be carried out', { ...facts, code: error.code });
    return respond(503, { kind: 'failed', code: error.code, detail: error.message });
  }
  const stack = error instanceof Error ? error.stack : undefined;
  ports.log.error('a command failed', { ...facts, stack });
  if (error instanceof InvalidInputError)
    return respond(500, { kind: 'failed', code: 'MALFORMED_STATE', detail: error.message });
  const detail = 'something unexpected happened; the log of functions/control says what';
  return respond(500, { kind: 'failed', code: 'UNEXPECTED', detail });
}

async function carryOut(prepared: Prepared & { kind: 'ready' }, command: string, given: Given) {
  const done = await prepared.run(given);
  const { kind, service, detail, data = {} } = done;
  const { author, ports } = given;
  const about = { command, service, author, detail, data };
  if (kind === 'done') {
    ports.log.info('a command was carried out', { command, service, author, detail });
    return respond(200, { kind, ...about, code: null });
  }
  const { code, problems = [] } = done;
  ports.log.info('a command was refused', { command, service, author, code, detail });
  return respond(409, { kind, ...about, code, problems: [...problems] });
}

/**
 * Never throws. A request that nobody signed does not come as far as this in Lambda; one that is invoked past the URL
 * without an identity is turned away here, and one that makes up an identity needs a permission that nobody should
 * have (docs/adr/0017-control-behind-a-url.md).
 */
export async function handle(event: unknown, ports: Ports, allowed: Allowed): Promise<UrlResponse> {
  const call = parseCall(event);
  if (!call) {
    const detail = 'IAM does not say who is calling: sign the request to the function URL';
    return respond(403, { kind: 'failed', code: 'NO_IDENTITY', detail });
  }
  const { author, method, command = '', body } = call;
  const prepare = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (!prepare) return unknownCommand(call.command);
  if (method !== 'POST')
    return respond(405, invalid(command, `method: must be POST (is ${method})`), { allow: 'POST' });
  if (body.kind !== 'json')
    return respond(body.kind === 'too-large' ? 413 : 400, invalid(command, body.problem));
  const prepared = prepare(body.value);
  if (prepared.kind === 'invalid') return respond(400, invalid(command, ...prepared.problems));
  try {
    return await carryOut(prepared, command, { ports, author, allowed });
  } catch (error) {
    return failed(error, call, { ports, allowed });
  }
}
