/** Proves what CloudFormation is asked about a stack, and that "no such stack" is an answer, not an error. */
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeStacks } from '../../shared/aws/stack-outputs.ts';
import { awsError, makeRetrying } from './retrying.ts';

const client = new CloudFormationClient({ region: 'us-east-1' });
const aws = mockClient(client);
beforeEach(() => aws.reset());
const find = () => makeStacks(client, makeRetrying()).find('eni-failover');
const asked = () => aws.commandCalls(DescribeStacksCommand).map((call) => call.args[0].input);

describe('a stack', () => {
  it('is found by its name, with its outputs', async () => {
    aws.on(DescribeStacksCommand).resolves({
      Stacks: [
        {
          StackName: 'eni-failover',
          CreationTime: new Date(0),
          StackStatus: 'UPDATE_COMPLETE',
          Outputs: [
            { OutputKey: 'StateTable', OutputValue: 'eni-failover-StateTable-1' },
            { OutputKey: 'Fencing', OutputValue: 'off' },
          ],
        },
      ],
    });
    expect(await find()).toEqual({
      name: 'eni-failover',
      status: 'UPDATE_COMPLETE',
      outputs: { StateTable: 'eni-failover-StateTable-1', Fencing: 'off' },
    });
    expect(asked()).toStrictEqual([{ StackName: 'eni-failover' }]);
  });

  it('that is not there is undefined, and asked for once', async () => {
    const said = 'Stack with id eni-failover does not exist';
    aws.on(DescribeStacksCommand).rejects(awsError('ValidationError', 400, said));
    expect(await find()).toBeUndefined();
    expect(asked()).toHaveLength(1);
  });

  it.each([
    ['AccessDenied', 403, 'denied'],
    ['ValidationError', 400, 'refused'],
  ])('that could not be asked for throws: %s', async (code, status, failure) => {
    aws.on(DescribeStacksCommand).rejects(awsError(code, status));
    await expect(find()).rejects.toMatchObject({ name: 'PortError', code, failure });
  });

  it('is asked for again while CloudFormation throttles', async () => {
    aws
      .on(DescribeStacksCommand)
      .rejectsOnce(awsError('Throttling', 400))
      .resolvesOnce({
        Stacks: [{ StackName: 'eni-failover', CreationTime: new Date(0), StackStatus: undefined }],
      });
    expect(await find()).toEqual({ name: 'eni-failover', status: 'unknown', outputs: {} });
    expect(asked()).toHaveLength(2);
  });
});
