// The stack of a template, running: tables, queues, topics, rules, alarms and functions, wired to one another and to EC2's events.

import { type AwsService, friendlyServiceName, type JsonObject } from './aws-request.ts';
import type { SandboxClock } from './clock.ts';
import { makeCloudFormation } from './cloudformation.ts';
import { type Alarms, makeAlarms } from './cloudwatch/alarms.ts';
import { makeCloudWatch } from './cloudwatch/cloudwatch.ts';
import { makeDynamoDb } from './dynamodb.ts';
import type { Ec2Event } from './ec2/model.ts';
import { DeliveryError, type EventBridge, makeEventBridge } from './eventbridge/eventbridge.ts';
import { type Lambda, LambdaError, makeLambda } from './lambda/lambda.ts';
import { type Messaging, makeMessaging } from './messaging.ts';
import type { ServiceFault, ServiceFaults } from './service-faults.ts';
import type { Stack } from './stack.ts';

export interface DeploymentOptions {
  clock: SandboxClock;
  endpoint: string;
  region: string;
  accountId: string;
  freeze: boolean;
  asyncRetryDelaysMs: readonly number[];
  detectionDelayMs(): number;
  faults: ServiceFaults;
  onProblem(message: string): void;
}

export interface Deployment {
  /** By the service's name in the signature. */
  services: Record<string, AwsService>;
  alarms: Alarms;
  eventBridge: EventBridge;
  lambda: Lambda;
  messaging: Messaging;
  onEc2Event(event: Ec2Event): void;
  close(): Promise<void>;
}

const ALARM_PRINCIPAL = 'lambda.alarms.cloudwatch.amazonaws.com';
const EVENTS_PRINCIPAL = 'events.amazonaws.com';

export async function deploy(stack: Stack, options: DeploymentOptions): Promise<Deployment> {
  const { clock, region, accountId, endpoint, faults, onProblem } = options;
  const dynamoDb = makeDynamoDb();
  const messaging = makeMessaging(clock, new URL(endpoint).host, region);

  // Queues before what delivers to them, dead-letter queues first: a redrive policy needs its target.
  const deadLettersFirst = stack.queues.toSorted(
    (one, other) => Number('RedrivePolicy' in one.attributes) - Number('RedrivePolicy' in other.attributes),
  );
  for (const { name, attributes } of deadLettersFirst) {
    await messaging.sqs('CreateQueue', { QueueName: name, Attributes: attributes });
  }
  for (const { name, attributes } of stack.topics) {
    await messaging.sns('CreateTopic', { Name: name, ...toEntries('Attributes', attributes) });
  }
  for (const { topicArn, protocol, endpoint: subscriber, attributes } of stack.subscriptions) {
    const subscription = { TopicArn: topicArn, Protocol: protocol, Endpoint: subscriber };
    await messaging.sns('Subscribe', { ...subscription, ...toEntries('Attributes', attributes) });
  }
  for (const table of stack.tables) await dynamoDb.call('CreateTable', table);

  const publish = async (topicArn: string, message: string, subject?: string): Promise<void> =>
    messaging.sns('Publish', {
      TopicArn: topicArn,
      Message: message,
      ...(subject === undefined ? {} : { Subject: subject }),
    });

  const send = async (arn: string, body: string, attributes?: Record<string, string>): Promise<void> =>
    arn.startsWith('arn:aws:sns:') ? publish(arn, body) : messaging.sendToQueue(arn, body, attributes);

  const lambda = makeLambda(stack, messaging, { ...options, deliver: send });

  const deliver = async (targetArn: string, payload: string, ruleArn: string): Promise<void> => {
    if (!targetArn.startsWith('arn:aws:lambda:')) return send(targetArn, payload);
    const fault = faults.take('lambda', 'Invoke');
    if (fault?.code !== undefined) throw new DeliveryError(fault.code, 'a fault that was asked for', true);
    try {
      lambda.invokeAsService(targetArn, payload, EVENTS_PRINCIPAL, ruleArn);
    } catch (error) {
      throw error instanceof LambdaError ? new DeliveryError(error.code, error.message, false) : error;
    }
  };

  const eventBridge = makeEventBridge({
    clock,
    region,
    accountId,
    rules: stack.rules,
    schedules: stack.schedules,
    deliver,
    sendDeadLetter: (queueArn, body, attributes) => messaging.sendToQueue(queueArn, body, attributes),
  });

  const alarms = makeAlarms({
    clock,
    region,
    accountId,
    detectionDelayMs: options.detectionDelayMs,
    emitEvent: (arn, detail) =>
      eventBridge.emit('aws.cloudwatch', 'CloudWatch Alarm State Change', [arn], detail),
    invokeLambda: (functionArn, payload, alarmArn) => {
      try {
        lambda.invokeAsService(functionArn, JSON.stringify(payload), ALARM_PRINCIPAL, alarmArn);
      } catch (error) {
        onProblem(`alarm action ${functionArn}: ${error instanceof Error ? error.message : String(error)}`);
      }
    },
    publish: (topicArn, subject, message) => {
      publish(topicArn, JSON.stringify(message), subject).catch((error: unknown) =>
        onProblem(`alarm action ${topicArn}: ${String(error)}`),
      );
    },
  });
  for (const alarm of stack.metricAlarms) alarms.putMetricAlarm(alarm as unknown as MetricAlarmInput);
  for (const alarm of stack.compositeAlarms)
    alarms.putCompositeAlarm(alarm as unknown as CompositeAlarmInput);

  eventBridge.start();
  lambda.start();

  const services: Record<string, AwsService> = {
    dynamodb: dynamoDb.handle,
    sqs: messaging.handle,
    sns: messaging.handle,
    sts: messaging.handle,
    monitoring: makeCloudWatch(alarms),
    events: eventBridge.handle,
    cloudformation: makeCloudFormation(stack, { region, accountId, atMs: clock.now() }),
    lambda: lambda.handle,
  };
  const withFaults = Object.entries(services).map(([name, handle]): [string, AwsService] => [
    name,
    faults.wrap(friendlyServiceName(name) as ServiceFault['service'], handle),
  ]);

  return {
    services: Object.fromEntries(withFaults),
    alarms,
    eventBridge,
    lambda,
    messaging,
    onEc2Event: (event) => {
      if (event.kind === 'status-check') alarms.onStatusCheck(event.instanceId, event.check, event.status);
      if (event.kind !== 'instance-state') return;
      alarms.onInstanceState(event.instanceId, event.state);
      const arn = `arn:aws:ec2:${region}:${accountId}:instance/${event.instanceId}`;
      const detail: JsonObject = { 'instance-id': event.instanceId, state: event.state };
      eventBridge.emit('aws.ec2', 'EC2 Instance State-change Notification', [arn], detail);
    },
    close: async () => {
      eventBridge.close();
      alarms.close();
      await lambda.close();
      await messaging.close();
    },
  };
}

type MetricAlarmInput = Parameters<Alarms['putMetricAlarm']>[0];
type CompositeAlarmInput = Parameters<Alarms['putCompositeAlarm']>[0];

/** A map in the Query protocol: `Attributes.entry.1.key=…&Attributes.entry.1.value=…`. */
function toEntries(prefix: string, map: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map).flatMap(([key, value], index) => [
      [`${prefix}.entry.${index + 1}.key`, key],
      [`${prefix}.entry.${index + 1}.value`, value],
    ]),
  );
}
