/** Asks functions/audit what happened: the trail is read this way. */
import type { CallUrl } from '../shared/runtime/function-urls.ts';
import { CliError } from './answer.ts';
import { askFunction } from './function-answer.ts';

/** `body` is parsed JSON. */
export interface AuditAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface AuditClient {
  /**
   * Reads one path below the function's URL, such as `v1/records`. Bad parameters (400) and what is not there (404)
   * are answers; throws {@link CliError} where the function could not be asked or failed, with the way out.
   */
  get(path: string, parameters?: Readonly<Record<string, string | number | undefined>>): Promise<AuditAnswer>;
}

const audit = {
  name: 'functions/audit',
  option: '--audit-url',
  instead: 'status and explain work without it',
};

/** `url` is asked for by the first question only. */
export function makeAuditClient(url: () => string, call: CallUrl): AuditClient {
  return {
    async get(path, parameters = {}) {
      const base = new URL(url());
      const asked = new URL(path, base.href.replace(/\/?$/, '/'));
      for (const [name, value] of Object.entries(parameters))
        if (value !== undefined) asked.searchParams.set(name, String(value));
      const answer = await askFunction(audit, call, { method: 'GET', url: asked });
      if (answer.status >= 500)
        throw new CliError(
          'failed',
          `functions/audit failed (${answer.status}: ${answer.text}): try again in some seconds`,
        );
      if (answer.body === undefined)
        throw new CliError(
          'failed',
          `${base.href} did not answer as functions/audit does (${answer.status}: ${answer.text}): check --audit-url`,
        );
      return { status: answer.status, body: answer.body };
    },
  };
}
