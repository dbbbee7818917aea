/** Registers the service as a user would: a YAML file and the project's own command line. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import { type Account, alarmArn, type Host } from './account.ts';

export interface Registration {
  readonly kind: 'accepted' | 'refused';
  readonly declaration: string;
  /** What stands in the way, in the command's own words; empty where it was accepted. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly tookMs: number;
}

export interface RegistrationOptions {
  readonly policy?: Readonly<Record<string, unknown>> | undefined;
  /** Members to leave out of the declaration, by host. */
  readonly without?: readonly string[] | undefined;
  /** The alarm that must be OK before a member may take over, by host. */
  readonly readyWhen?: Readonly<Partial<Record<Host, string>>> | undefined;
  /** What else the service declares. */
  readonly more?: ((account: Account) => Readonly<Record<string, unknown>>) | undefined;
}

export function toDeclaration(
  account: Account,
  { policy, without = [], readyWhen = {}, more }: RegistrationOptions = {},
) {
  return {
    name: account.service,
    description: 'The database of the order service (demo)',
    interfaces: account.interfaces.map(({ eniId, deviceIndex }) => ({ eni: eniId, deviceIndex })),
    members: account.members
      .filter(({ host }) => !without.includes(host))
      .map(({ instanceId, host }) => {
        const alarm = readyWhen[host];
        return { instance: instanceId, ...(alarm && { readyWhen: [alarmArn(account, alarm)] }) };
      }),
    ...(policy && { policy }),
    ...more?.(account),
  };
}

/** What the command would take from the environment: somebody's own identity and stack have no business here. */
const ofOtherStacks = [
  ...['STATE_TABLE', 'IDEMPOTENCY_TABLE', 'WORK_QUEUE_URL', 'TOPIC_ARN'],
  ...['CONTROL_URL', 'AUDIT_URL', 'ENI_FAILOVER_STACK'],
];

function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('AWS_') && !ofOtherStacks.includes(name),
  );
  return {
    ...Object.fromEntries(kept),
    AWS_ACCESS_KEY_ID: 'eni-failover-cli',
    AWS_SECRET_ACCESS_KEY: 'sandbox',
    AWS_REGION: 'us-east-1',
    NO_COLOR: '1',
  };
}

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command as users install it: built, it starts five times faster. */
function run(dist: string, args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [path.join(dist, 'cli', 'main.mjs'), ...args], {
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...said }));
  });
}

interface Answer {
  readonly change?: string;
  readonly problems?: readonly { readonly message: string }[];
  readonly warnings?: readonly { readonly message: string }[];
}

export interface Where {
  readonly endpoint: string;
  /** Where the bundles lie. */
  readonly dist: string;
}

export const register = (
  where: Where,
  account: Account,
  options: RegistrationOptions = {},
): Promise<Registration> => registerDeclaration(where, toDeclaration(account, options));

/** Throws where the command fails for any other reason than the declaration. */
export async function registerDeclaration(
  where: Where,
  declared: { readonly name: string },
): Promise<Registration> {
  const folder = await mkdtemp(path.join(tmpdir(), 'eni-failover-demo-'));
  try {
    const file = path.join(folder, `${declared.name}.yaml`);
    const declaration = stringify(declared);
    await writeFile(file, declaration);
    const startedAtMs = Date.now();
    const { code, stdout, stderr } = await run(where.dist, [
      ...['register', file],
      ...['--endpoint-url', where.endpoint],
      ...['--output', 'json'],
    ]);
    const answer = stdout.trim().startsWith('{') ? (JSON.parse(stdout) as Answer) : undefined;
    if (answer?.change === undefined)
      throw new Error(`eni-failover register failed (exit code ${code}): ${stderr || stdout}`);
    const messages = (list: Answer['problems']) => (list ?? []).map((each) => each.message);
    return {
      kind: answer.change === 'rejected' ? 'refused' : 'accepted',
      declaration,
      problems: messages(answer.problems),
      warnings: messages(answer.warnings),
      tookMs: Date.now() - startedAtMs,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
