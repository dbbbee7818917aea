// CloudWatch's two wire formats, AWS JSON 1.0 and Query, read and written by the SDK's own schemas.

import {
  DeleteAlarms$,
  DescribeAlarms$,
  DisableAlarmActions$,
  EnableAlarmActions$,
  PutCompositeAlarm$,
  PutMetricAlarm$,
  SetAlarmState$,
} from '@aws-sdk/client-cloudwatch';
import { JsonShapeDeserializer, JsonShapeSerializer, XmlShapeSerializer } from '@aws-sdk/core/protocols';
import { NormalizedSchema } from '@smithy/core/schema';
import { type AwsAnswer, type AwsRequest, escapeXml, jsonAnswer } from '../aws-request.ts';

const OPERATIONS = {
  PutMetricAlarm: PutMetricAlarm$,
  PutCompositeAlarm: PutCompositeAlarm$,
  DescribeAlarms: DescribeAlarms$,
  SetAlarmState: SetAlarmState$,
  DeleteAlarms: DeleteAlarms$,
  EnableAlarmActions: EnableAlarmActions$,
  DisableAlarmActions: DisableAlarmActions$,
};
export type CloudWatchOperation = keyof typeof OPERATIONS;

const JSON_SETTINGS = { timestampFormat: { useTrait: true, default: 7 as const }, jsonName: false };
const XML_NAMESPACE = 'http://monitoring.amazonaws.com/doc/2010-08-01/';
const XML_SETTINGS = {
  timestampFormat: { useTrait: true, default: 5 as const },
  xmlNamespace: XML_NAMESPACE,
  serviceNamespace: 'com.amazonaws.cloudwatch',
};

export function isCloudWatchOperation(name: string): name is CloudWatchOperation {
  return Object.hasOwn(OPERATIONS, name);
}

function speaksJson(request: AwsRequest): boolean {
  return request.headers['x-amz-target'] !== undefined;
}

export async function readInput(operation: CloudWatchOperation, request: AwsRequest): Promise<unknown> {
  const schema = NormalizedSchema.of(OPERATIONS[operation][4]);
  const body = request.body.toString();
  if (speaksJson(request)) return new JsonShapeDeserializer(JSON_SETTINGS).read(schema, body || '{}');
  return fromForm(schema, new URLSearchParams(body), '');
}

export function writeOutput(operation: CloudWatchOperation, output: unknown, request: AwsRequest): AwsAnswer {
  const schema = NormalizedSchema.of(OPERATIONS[operation][5]);
  const hasOutput = schema.isStructSchema();
  if (speaksJson(request)) {
    if (!hasOutput) return jsonAnswer({});
    const serializer = new JsonShapeSerializer(JSON_SETTINGS);
    serializer.write(schema, output);
    return { ...jsonAnswer({}), body: serializer.flush() as string };
  }
  let result = '';
  if (hasOutput) {
    const serializer = new XmlShapeSerializer(XML_SETTINGS);
    serializer.write(schema, output);
    // The serializer names the root after the shape; the Query protocol names it after the operation.
    const inner = /^<[^>]*[^/]>(.*)<\/[^>]+>$/s.exec(String(serializer.flush()))?.[1] ?? '';
    result = `<${operation}Result>${inner}</${operation}Result>`;
  }
  return {
    status: 200,
    headers: { 'content-type': 'text/xml' },
    body: `<${operation}Response xmlns="${XML_NAMESPACE}">${result}<ResponseMetadata><RequestId>sandbox</RequestId></ResponseMetadata></${operation}Response>`,
  };
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

/** `Dimensions.member.1.Name=InstanceId` and so on, back into the shape that it was written from. */
function fromForm(schema: NormalizedSchema, form: URLSearchParams, prefix: string): unknown {
  if (schema.isStructSchema()) {
    const entries = [...schema.structIterator()].flatMap(([name, member]) => {
      const value = fromForm(member, form, prefix === '' ? name : `${prefix}.${name}`);
      return value === undefined ? [] : [[name, value] as const];
    });
    return prefix === '' || entries.length > 0 ? Object.fromEntries(entries) : undefined;
  }
  if (schema.isListSchema()) {
    const items: unknown[] = [];
    for (let index = 1; ; index += 1) {
      const item = fromForm(schema.getValueSchema(), form, `${prefix}.member.${index}`);
      if (item === undefined) return items.length > 0 || form.has(prefix) ? items : undefined;
      items.push(item);
    }
  }
  const text = form.get(prefix);
  if (text === null) return undefined;
  if (schema.isBooleanSchema()) return text === 'true';
  if (schema.isNumericSchema()) return Number(text);
  return schema.isTimestampSchema() ? new Date(text) : text;
}
