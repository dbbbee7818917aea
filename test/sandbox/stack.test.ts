// A template becomes the functions, queues, tables, topics and rules that it declares, or an error that names what is unknown.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readStack, type Stack } from '../../sandbox/stack.ts';

const FIXTURE = fileURLToPath(new URL('fixtures/template.yaml', import.meta.url));
const OPTIONS = {
  endpoint: 'http://127.0.0.1:4566',
  stackName: 's',
  region: 'us-east-1',
  accountId: '000000000000',
  parameters: {},
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'stack-test-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function stackOf(resources: string): Stack {
  const templateFile = join(directory, 'template.yaml');
  writeFileSync(templateFile, `Resources:\n${resources}`);
  return readStack({ ...OPTIONS, templateFile });
}

const FUNCTION = (properties: string) =>
  `  F: { Type: AWS::Serverless::Function, Properties: { CodeUri: dist/f, Handler: h.handler, Runtime: nodejs24.x, ${properties} } }`;

describe('the stack of the fixture', () => {
  const stack = readStack({ ...OPTIONS, templateFile: FIXTURE, parameters: { FunctionTimeout: '7' } });

  it('has the function with memory, timeout, environment and code', () => {
    expect(stack.functions).toMatchObject([
      {
        name: 'probe-function',
        arn: 'arn:aws:lambda:us-east-1:000000000000:function:probe-function',
        codePath: fileURLToPath(new URL('fixtures/functions/probe', import.meta.url)),
        handler: 'handler.handler',
        memoryMb: 128,
        timeoutMs: 7_000,
        environment: {
          FROM_GLOBALS: 'yes',
          STATE_TABLE: 's-StateTable',
          WORK_QUEUE_URL: 'http://127.0.0.1:4566/000000000000/s-WorkQueue',
          TOPIC_ARN: 'arn:aws:sns:us-east-1:000000000000:s-Topic',
        },
        asynchronous: {
          maximumRetryAttempts: 2,
          maximumEventAgeMs: 3_600_000,
          onFailureArn: 'arn:aws:sqs:us-east-1:000000000000:s-FailureQueue',
        },
        functionUrl: { authType: 'AWS_IAM' },
      },
    ]);
  });

  it('has a rule with a permission for each event, and the queue as an event source', () => {
    expect(stack.rules.map(({ name }) => name)).toEqual(['s-ProbeEc2State', 's-ProbeAlarm', 's-ProbeAsked']);
    expect(stack.rules[2]?.targets).toMatchObject([
      { maximumRetryAttempts: 1, deadLetterArn: 'arn:aws:sqs:us-east-1:000000000000:s-DeadLetterQueue' },
    ]);
    expect(stack.permissions.map(({ sourceArn }) => sourceArn)).toContain(
      'arn:aws:events:us-east-1:000000000000:rule/s-ProbeAsked',
    );
    expect(stack.eventSources).toMatchObject([{ functionName: 'probe-function', batchSize: 1 }]);
  });

  it('has the queues with their redrive policy', () => {
    const attributes = stack.queues.find(({ name }) => name === 's-WorkQueue')?.attributes;
    expect(JSON.parse(attributes?.['RedrivePolicy'] ?? '')).toEqual({
      deadLetterTargetArn: 'arn:aws:sqs:us-east-1:000000000000:s-DeadLetterQueue',
      maxReceiveCount: 1,
    });
  });
});

describe('a stack', () => {
  it('takes bundles from another folder when told to', () => {
    const [spec] = readStack({ ...OPTIONS, templateFile: FIXTURE, distDir: '/elsewhere' }).functions;
    expect(spec?.codePath).toBe('/elsewhere/probe');
  });

  it('reads a schedule given as a rate', () => {
    const stack = stackOf(
      FUNCTION('Events: { Tick: { Type: Schedule, Properties: { Schedule: rate(1 minute) } } }'),
    );
    expect(stack.schedules).toMatchObject([{ everyMs: 60_000 }]);
  });

  it('leaves out a rule that is disabled', () => {
    const stack = stackOf(
      '  R: { Type: AWS::Events::Rule, Properties: { State: DISABLED, EventPattern: { source: [x] }, Targets: [] } }',
    );
    expect(stack.rules).toEqual([]);
  });

  it('applies an EventInvokeConfig that is a resource of its own', () => {
    const stack = stackOf(
      `  C: { Type: AWS::Lambda::EventInvokeConfig, Properties: { FunctionName: !Ref F, Qualifier: $LATEST, MaximumRetryAttempts: 0 } }\n${FUNCTION('')}`,
    );
    expect(stack.functions[0]?.asynchronous.maximumRetryAttempts).toBe(0);
  });

  it('turns the numbers of an alarm, given as parameters, into numbers', () => {
    const stack = stackOf(
      '  A: { Type: AWS::CloudWatch::Alarm, Properties: { MetricName: M, Threshold: "1", Period: "60" } }',
    );
    expect(stack.metricAlarms).toMatchObject([{ AlarmName: 's-A', Threshold: 1, Period: 60 }]);
  });

  it.each<[string, string]>([
    [
      '  B: { Type: AWS::S3::Bucket }',
      "Resources.B: the sandbox does not know the resource type 'AWS::S3::Bucket'",
    ],
    [
      '  T: { Type: AWS::DynamoDB::Table, Properties: { StreamSpecification: {} } }',
      "Resources.T: the sandbox does not know the property 'StreamSpecification'",
    ],
    [FUNCTION('Layers: [x]'), "Resources.F: the sandbox does not know the property 'Layers'"],
    [FUNCTION('Runtime: python3.14').replace('Runtime: nodejs24.x, ', ''), 'Node.js functions only'],
    [
      FUNCTION('Events: { E: { Type: S3 } }'),
      "Resources.F.Events.E: the sandbox does not know the event type 'S3'",
    ],
    [
      FUNCTION('Events: { E: { Type: Schedule, Properties: { Schedule: cron(0 * * * ? *) } } }'),
      "does not know the schedule 'cron",
    ],
    [
      FUNCTION(
        'Events: { E: { Type: EventBridgeRule, Properties: { Pattern: { source: [x] }, InputPath: $.x } } }',
      ),
      "does not know the property 'InputPath'",
    ],
    [
      FUNCTION('EventInvokeConfig: { DestinationConfig: { OnFailure: { Type: SQS } } }'),
      'Destination: is missing',
    ],
    [FUNCTION('Timeout: soon'), 'Timeout: is not a number'],
    [
      '  S: { Type: AWS::SNS::Subscription, Properties: { TopicArn: t, Protocol: lambda, Endpoint: x } }',
      "does not deliver SNS messages to 'lambda'",
    ],
  ])('refuses %s', (resources, message) => {
    expect(() => stackOf(resources)).toThrow(message);
  });
});
