/** One question of the trail: parsed, answered, and nothing changed. */
import {
  type Asked,
  type AuditPorts,
  explainPast,
  findEpisode,
  findRecords,
  verifyTrail,
} from '../../shared/app/audit.ts';
import type { Log } from '../../shared/app/ports.ts';
import { messageOf, PortError } from '../../shared/core/errors.ts';
import { respond, type UrlResponse } from '../../shared/core/url-response.ts';
import { parseQuestion, type Question } from './query.ts';

export interface AuditDeps extends AuditPorts {
  readonly log: Log;
  /** When an answer that can be continued must be given, by the ports' clock. */
  readonly deadlineMs: number;
}

const refuse = (statusCode: number, code: string, detail: string, more = {}) =>
  respond(statusCode, { code, detail }, more);

function toResponse(asked: Asked<object>): UrlResponse {
  switch (asked.kind) {
    case 'answer':
      return respond(200, asked.answer);
    case 'invalid':
      return respond(400, { problems: asked.problems });
    case 'absent':
      return refuse(404, asked.code, asked.detail);
  }
}

async function answer(question: Question, deps: AuditDeps): Promise<UrlResponse> {
  switch (question.kind) {
    case 'records':
      return toResponse(await findRecords(deps, question.query));
    case 'episode':
      return toResponse(await findEpisode(deps, question.id));
    case 'verify':
      return toResponse(await verifyTrail(deps, question.query, deps.deadlineMs));
    case 'explain':
      return toResponse(await explainPast(deps, question.query));
    case 'invalid':
      return toResponse(question);
    case 'no-such-path':
      return refuse(404, 'NO_SUCH_PATH', question.detail);
    case 'not-a-get':
      return refuse(405, 'NOT_A_GET', `method: must be GET (is ${question.method})`, { allow: 'GET' });
  }
}

/** Never throws. Who may ask is IAM's decision, before anything comes as far as this. */
export async function handle(event: unknown, deps: AuditDeps): Promise<UrlResponse> {
  const question = parseQuestion(event);
  try {
    return await answer(question, deps);
  } catch (error) {
    const facts = { question: question.kind, error: messageOf(error) };
    if (error instanceof PortError) {
      deps.log.warn('a question could not be answered', { ...facts, code: error.code });
      return refuse(503, error.code, error.message);
    }
    const stack = error instanceof Error ? error.stack : undefined;
    deps.log.error('a question failed', { ...facts, stack });
    const detail = 'something unexpected happened; the log of functions/audit says what';
    return refuse(500, 'UNEXPECTED', detail);
  }
}
