/** What a function behind a URL answered, or why it could not be asked, in one sentence with the way out. */
import { PortError } from '../shared/core/errors.ts';
import type { CallUrl } from '../shared/runtime/function-urls.ts';
import { CliError } from './answer.ts';

/** Which function, by what people call it, and the option that names its URL. */
export interface Asked {
  readonly name: string;
  readonly option: string;
  /** What else can be done when it does not answer. */
  readonly instead: string;
}

const shortened = (text: string) => text.replace(/\s+/g, ' ').slice(0, 200) || 'nothing';

/** Of Lambda itself, or of anything else that answers there. */
function messageIn(body: unknown, text: string): string {
  const said = (body as { readonly Message?: unknown; readonly message?: unknown } | undefined) ?? {};
  return String(said.Message ?? said.message ?? shortened(text));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `body` is undefined where the answer is no JSON. Throws {@link CliError} where there is nothing to work with. */
export async function askFunction(
  { name, option, instead }: Asked,
  call: CallUrl,
  request: Parameters<CallUrl>[0],
): Promise<{ readonly status: number; readonly body: unknown; readonly text: string }> {
  const answer = await call(request).catch((error: unknown) => {
    if (!(error instanceof PortError) || error.failure !== 'unavailable' || error.message.includes('Region'))
      throw error;
    throw new CliError(
      'failed',
      `${name} could not be reached at ${request.url.origin} (${error.message}): check the network and ${option}; ${instead}`,
      error,
    );
  });
  const body = parsed(answer.body);
  const message = messageIn(body, answer.body);
  if (answer.status === 403)
    throw new CliError(
      'failed',
      `you may not call ${name} (${message}): your identity needs lambda:InvokeFunctionUrl and, through the URL only, ` +
        'lambda:InvokeFunction on it, as in the stack’s output OperatorPolicyArn; check --profile and the clock too',
    );
  if (answer.status === 429)
    throw new CliError(
      'failed',
      `${name} is asked too much just now (${message}): try again in some seconds`,
    );
  return { status: answer.status, body, text: shortened(answer.body) };
}
