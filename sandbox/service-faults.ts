// Faults of the services other than EC2, whose model has its own: an error, a delay, or both, for the next calls of an operation.

import { setTimeout as sleep } from 'node:timers/promises';
import { type AwsAnswer, type AwsRequest, type AwsService, escapeXml, jsonAnswer } from './aws-request.ts';

export interface ServiceFault {
  service: 'dynamodb' | 'sns' | 'sqs' | 'cloudwatch' | 'lambda' | 'ssm' | 'events' | 'cloudformation';
  operation: string;
  /** Absent: the call is only delayed. */
  code?: string;
  delayMs?: number;
  times: number;
  /** The call takes effect although its caller is told that it failed. */
  applied?: boolean;
}

export interface ServiceFaults {
  add(fault: ServiceFault): void;
  clear(): void;
  list(): ServiceFault[];
  /** The fault that the next such call meets; taking it uses it up once. */
  take(service: string, operation: string): ServiceFault | undefined;
  wrap(service: ServiceFault['service'], handle: AwsService): AwsService;
}

export function makeServiceFaults(): ServiceFaults {
  let faults: ServiceFault[] = [];

  const take = (service: string, operation: string): ServiceFault | undefined => {
    const fault = faults.find(
      (candidate) => candidate.service === service && candidate.operation === operation,
    );
    if (fault === undefined) return undefined;
    fault.times -= 1;
    if (fault.times <= 0) faults = faults.filter((candidate) => candidate !== fault);
    return fault;
  };

  return {
    add: (fault) => {
      faults.push({ ...fault });
    },
    clear: () => {
      faults = [];
    },
    list: () => faults.map((fault) => ({ ...fault })),
    take,
    wrap: (service, handle) => async (request) => {
      const fault = take(service, request.operation);
      if (fault?.delayMs !== undefined) await sleep(fault.delayMs);
      if (fault?.code === undefined) return handle(request);
      if (fault.applied) await handle(request);
      return toErrorAnswer(service, toFault(fault.code), request);
    },
  };
}

const ERROR_NAMESPACE: Record<string, string> = {
  dynamodb: 'com.amazonaws.dynamodb.v20120810',
  sqs: 'com.amazonaws.sqs',
  cloudwatch: 'com.amazonaws.cloudwatch',
  ssm: 'com.amazonaws.ssm',
  events: 'com.amazonaws.eventbridge',
};

function toFault(code: string): AwsFailure {
  const isServerFault = /Internal|Unavailable|ServiceFailure/i.test(code);
  const status = isServerFault ? (/Unavailable/i.test(code) ? 503 : 500) : 400;
  return { code, message: `${code}: a fault that was asked for at /_sandbox/faults`, status };
}

export interface AwsFailure {
  readonly code: string;
  readonly message: string;
  readonly status: number;
}

/** A failure as the service puts it on the wire, in the protocol in which it was asked. */
export function toErrorAnswer(
  service: ServiceFault['service'],
  { code, message, status }: AwsFailure,
  request: AwsRequest,
): AwsAnswer {
  const isServerFault = status >= 500;
  if (service === 'lambda') {
    return {
      ...jsonAnswer({ Type: 'User', message }, status, 'application/json'),
      headers: { 'x-amzn-errortype': code },
    };
  }
  if (request.headers['x-amz-target'] !== undefined) {
    const answer = jsonAnswer({ __type: `${ERROR_NAMESPACE[service]}#${code}`, message }, status);
    answer.headers['x-amzn-query-error'] = `${code};${isServerFault ? 'Receiver' : 'Sender'}`;
    return answer;
  }
  const type = isServerFault ? 'Receiver' : 'Sender';
  return {
    status,
    headers: { 'content-type': 'text/xml' },
    body: `<ErrorResponse><Error><Type>${type}</Type><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error><RequestId>sandbox</RequestId></ErrorResponse>`,
  };
}
