// CloudWatch's two wire formats, AWS JSON 1.0 and Query, read and written by the SDK's own schemas.

import { gunzipSync } from 'node:zlib';
import {
  DeleteAlarms$,
  DescribeAlarms$,
  DisableAlarmActions$,
  EnableAlarmActions$,
  PutCompositeAlarm$,
  PutMetricAlarm$,
  PutMetricData$,
  SetAlarmState$,
} from '@aws-sdk/client-cloudwatch';
import { JsonShapeDeserializer, JsonShapeSerializer } from '@aws-sdk/core/protocols';
import { NormalizedSchema } from '@smithy/core/schema';
import { type AwsAnswer, type AwsRequest, escapeXml, jsonAnswer } from '../aws-request.ts';
import { queryAnswer, readForm } from '../query.ts';

const OPERATIONS = {
  PutMetricAlarm: PutMetricAlarm$,
  PutCompositeAlarm: PutCompositeAlarm$,
  PutMetricData: PutMetricData$,
  DescribeAlarms: DescribeAlarms$,
  SetAlarmState: SetAlarmState$,
  DeleteAlarms: DeleteAlarms$,
  EnableAlarmActions: EnableAlarmActions$,
  DisableAlarmActions: DisableAlarmActions$,
};
export type CloudWatchOperation = keyof typeof OPERATIONS;

const JSON_SETTINGS = { timestampFormat: { useTrait: true, default: 7 as const }, jsonName: false };
const XML_NAMESPACE = 'http://monitoring.amazonaws.com/doc/2010-08-01/';
const QUERY_SERVICE = { xmlNamespace: XML_NAMESPACE, serviceNamespace: 'com.amazonaws.cloudwatch' };

export function isCloudWatchOperation(name: string): name is CloudWatchOperation {
  return Object.hasOwn(OPERATIONS, name);
}

function speaksJson(request: AwsRequest): boolean {
  return request.headers['x-amz-target'] !== undefined;
}

export async function readInput(operation: CloudWatchOperation, request: AwsRequest): Promise<unknown> {
  const schema = NormalizedSchema.of(OPERATIONS[operation][4]);
  // The SDK compresses what is long, as a batch of data points is.
  const isCompressed = request.headers['content-encoding'] === 'gzip';
  const body = (isCompressed ? gunzipSync(request.body) : request.body).toString();
  if (speaksJson(request)) return new JsonShapeDeserializer(JSON_SETTINGS).read(schema, body || '{}');
  return readForm(schema, new URLSearchParams(body));
}

export function writeOutput(operation: CloudWatchOperation, output: unknown, request: AwsRequest): AwsAnswer {
  if (!speaksJson(request)) return queryAnswer(operation, OPERATIONS[operation][5], output, QUERY_SERVICE);
  const schema = NormalizedSchema.of(OPERATIONS[operation][5]);
  if (!schema.isStructSchema()) return jsonAnswer({});
  const serializer = new JsonShapeSerializer(JSON_SETTINGS);
  serializer.write(schema, output);
  return { ...jsonAnswer({}), body: serializer.flush() as string };
}

export function writeError(code: string, message: string, status: number, request: AwsRequest): AwsAnswer {
  if (speaksJson(request)) {
    const answer = jsonAnswer({ __type: `com.amazonaws.cloudwatch#${code}`, message }, status);
    answer.headers['x-amzn-query-error'] = `${code};Sender`;
    return answer;
  }
  return {
    status,
    headers: { 'content-type': 'text/xml' },
    body: `<ErrorResponse xmlns="${XML_NAMESPACE}"><Error><Type>Sender</Type><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error><RequestId>sandbox</RequestId></ErrorResponse>`,
  };
}
