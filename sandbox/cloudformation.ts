// CloudFormation on the sandbox's port, as far as a deployed stack is asked what it is: DescribeStacks of the one stack.

import { DescribeStacks$, type DescribeStacksOutput } from '@aws-sdk/client-cloudformation';
import type { AwsAnswer, AwsService } from './aws-request.ts';
import { queryAnswer } from './query.ts';
import { toErrorAnswer } from './service-faults.ts';
import type { Stack } from './stack.ts';

export interface CloudFormationOptions {
  region: string;
  accountId: string;
  /** When the stack was made. */
  atMs: number;
}

const QUERY_SERVICE = {
  xmlNamespace: 'http://cloudformation.amazonaws.com/doc/2010-05-15/',
  serviceNamespace: 'com.amazonaws.cloudformation',
};

export function makeCloudFormation(stack: Stack, options: CloudFormationOptions): AwsService {
  const { region, accountId, atMs } = options;
  const id = `arn:aws:cloudformation:${region}:${accountId}:stack/${stack.name}/00000000-0000-0000-0000-000000000000`;

  const describe = (): DescribeStacksOutput => ({
    Stacks: [
      {
        StackId: id,
        StackName: stack.name,
        CreationTime: new Date(atMs),
        StackStatus: 'CREATE_COMPLETE',
        Outputs: Object.entries(stack.outputs).map(([OutputKey, OutputValue]) => ({
          OutputKey,
          OutputValue,
        })),
      },
    ],
  });

  return async (request): Promise<AwsAnswer> => {
    const refuse = (code: string, message: string) =>
      toErrorAnswer('cloudformation', { code, message, status: 400 }, request);
    if (request.operation !== 'DescribeStacks')
      return refuse(
        'InvalidAction',
        `The sandbox knows one operation of CloudFormation: DescribeStacks, not '${request.operation}'.`,
      );
    const name = new URLSearchParams(request.body.toString()).get('StackName');
    if (name !== null && name !== stack.name && name !== id)
      return refuse('ValidationError', `Stack with id ${name} does not exist`);
    return queryAnswer('DescribeStacks', DescribeStacks$[5], describe(), QUERY_SERVICE);
  };
}
