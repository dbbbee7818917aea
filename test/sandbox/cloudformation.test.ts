// CloudFormation as a client asks it: the one stack of the template, its outputs, and what is not known.

import { fileURLToPath } from 'node:url';
import {
  CloudFormationClient,
  DescribeStacksCommand,
  ListStacksCommand,
} from '@aws-sdk/client-cloudformation';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Sandbox, startSandbox } from '../../sandbox/server.ts';

const templateFile = fileURLToPath(new URL('fixtures/template.yaml', import.meta.url));

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ templateFile, stackName: 'mine' });
});
afterAll(() => sandbox.close());

const cloudFormation = () =>
  new CloudFormationClient({
    endpoint: sandbox.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIATEST', secretAccessKey: 'sandbox' },
    maxAttempts: 1,
  });
const describeStack = (StackName?: string) => cloudFormation().send(new DescribeStacksCommand({ StackName }));

describe('CloudFormation', () => {
  it.each([
    ['by its name', 'mine'],
    ['without a name', undefined],
  ])('describes the stack %s', async (_, name) => {
    const { Stacks = [] } = await describeStack(name);
    expect(Stacks).toMatchObject([{ StackName: 'mine', StackStatus: 'CREATE_COMPLETE' }]);
    const outputs = Object.fromEntries(
      (Stacks[0]?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]),
    );
    expect(outputs).toEqual(sandbox.stack.outputs);
  });

  it('knows no other stack, and says so as AWS does', async () => {
    await expect(describeStack('yours')).rejects.toMatchObject({
      name: 'ValidationError',
      message: 'Stack with id yours does not exist',
    });
  });

  it('knows no other operation', async () => {
    await expect(cloudFormation().send(new ListStacksCommand({}))).rejects.toMatchObject({
      name: 'InvalidAction',
    });
  });
});
