/** Asks functions/control to do something: everything that changes anything goes this way. */
import * as v from 'valibot';
import { type ControlAnswer, ControlDocumentSchema } from '../shared/core/control.ts';
import type { CallUrl } from '../shared/runtime/function-urls.ts';
import { CliError } from './answer.ts';
import { askFunction } from './function-answer.ts';

export interface ControlClient {
  /**
   * Sends one command. What was refused is an answer; throws {@link CliError} where control could not be asked,
   * did not understand, or failed, with the way out.
   */
  send(command: string, body: Readonly<Record<string, unknown>>): Promise<ControlAnswer>;
}

const control = {
  name: 'functions/control',
  option: '--control-url',
  instead: 'status and explain work without it, and break-glass moves without it',
};

/** `url` is asked for by the first command only. */
export function makeControlClient(url: () => string, call: CallUrl): ControlClient {
  return {
    async send(command, body) {
      const base = new URL(url());
      const request = {
        method: 'POST' as const,
        url: new URL(`v1/${command}`, base.href.replace(/\/?$/, '/')),
        body: JSON.stringify(body),
      };
      const answer = await askFunction(control, call, request);
      const result = v.safeParse(ControlDocumentSchema, answer.body);
      if (!result.success)
        throw new CliError(
          'failed',
          `${base.href} did not answer as functions/control does (${answer.status}: ${answer.text}): check --control-url`,
        );
      const document = result.output;
      switch (document.kind) {
        case 'done':
        case 'refused':
          return document;
        case 'invalid':
          throw new CliError(
            'usage',
            `functions/control does not take this: ${document.problems.join('; ')}`,
          );
        case 'failed':
          throw new CliError(
            'failed',
            `functions/control could not do it (${document.code}: ${document.detail}): see how things are with status, then try again`,
          );
      }
    },
  };
}
