/** Asks an endpoint whether it is the project's sandbox, and if so what the stack in it is called. */
import * as v from 'valibot';
import { CliError } from './answer.ts';

/** The outputs of template.yaml as they are in this sandbox. */
const SandboxSchema = v.object({ outputs: v.record(v.string(), v.string()) });
export type Sandbox = v.InferOutput<typeof SandboxSchema>;

const patienceMs = 5_000;

function codeOf(error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: string; message?: string } };
  if (name === 'TimeoutError') return `no answer within ${patienceMs / 1_000} s`;
  return cause?.code ?? cause?.message ?? String(error);
}

/** Undefined when somebody else answers there. Throws {@link CliError} when nobody does. */
export async function findSandbox(endpoint: string): Promise<Sandbox | undefined> {
  let answer: Response;
  try {
    answer = await fetch(new URL('/_sandbox/state', endpoint), { signal: AbortSignal.timeout(patienceMs) });
  } catch (error) {
    throw new CliError(
      'failed',
      `nothing answers at ${endpoint} (${codeOf(error)}); correct --endpoint-url, ` +
        'or start the sandbox there with: npm run sandbox -- --port PORT',
      error,
    );
  }
  const body: unknown = await answer.json().catch(() => undefined);
  const result = v.safeParse(SandboxSchema, body);
  return answer.ok && result.success ? result.output : undefined;
}
