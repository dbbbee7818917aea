/** `npm run playground`: an AWS for one machine with two services to register, to break and to operate by hand. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { buildAccount } from '../account.ts';
import { makeAwsEndpoint } from '../aws-endpoint.ts';
import { interruptedCode, watchForInterruption } from '../interruption.ts';
import { toDeclaration } from '../registration.ts';
import { makeSandboxControl } from '../sandbox-control.ts';
import { startSandboxProcess } from '../sandbox-process.ts';
import { buildLicenceServer } from './licence-server.ts';
import { tour } from './tour.ts';

const usage = `Usage: npm run playground -- [options]

  --folder DIR   where the two declarations are written (playground)
  --dist DIR     where the built bundles lie (dist)
  --help

It stays until you press Ctrl-C. Nothing of it is kept but the folder.
`;

const root = path.join(import.meta.dirname, '..', '..');
const checks = ['StatusCheckFailed_System', 'StatusCheckFailed_Instance'];

function optionsOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        folder: { type: 'string', default: 'playground' },
        dist: { type: 'string', default: path.join(root, 'dist') },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return undefined;
  }
}

async function play(folder: string, dist: string, interruption: AbortSignal): Promise<void> {
  const sandbox = await startSandboxProcess({ dist, template: path.join(root, 'template.yaml') });
  try {
    const aws = makeAwsEndpoint(sandbox.endpoint, interruption);
    const plan = { members: ['same', 'same', 'same'], alarms: checks } as const;
    const account = await buildAccount(aws, sandbox.region, plan);
    const licences = await buildLicenceServer(aws, sandbox.region, checks);
    await makeSandboxControl(sandbox.endpoint, interruption).configure({ latency: 'realistic' });
    await mkdir(folder, { recursive: true });
    for (const declared of [toDeclaration(account), licences])
      await writeFile(path.join(folder, `${declared.name}.yaml`), stringify(declared));
    const [primary, standby] = account.members.map((each) => each.instanceId);
    process.stdout.write(
      tour({ endpoint: sandbox.endpoint, folder, primary: primary ?? '', standby: standby ?? '' }),
    );
    await new Promise((resolve) => interruption.addEventListener('abort', resolve, { once: true }));
  } finally {
    await sandbox.stop();
  }
}

const options = optionsOf(process.argv.slice(2));
const interruption = watchForInterruption();
if (options === undefined) process.exitCode = 2;
else if (options.help) process.stdout.write(usage);
else
  try {
    // Something has to hold the process: the sandbox's pipes are all there is.
    await play(options.folder, options.dist, interruption.signal);
  } catch (error) {
    if (interruption.signal.aborted) process.exitCode = interruptedCode;
    else {
      process.stderr.write(
        `The playground failed: ${error instanceof Error ? error.stack : String(error)}\n`,
      );
      process.exitCode = 3;
    }
  }
