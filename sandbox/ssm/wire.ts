// Systems Manager's wire format, AWS JSON 1.1, read and written by the SDK's own schemas.

import { CancelCommand$, GetCommandInvocation$, SendCommand$ } from '@aws-sdk/client-ssm';
import { JsonShapeDeserializer, JsonShapeSerializer } from '@aws-sdk/core/protocols';
import { NormalizedSchema } from '@smithy/core/schema';
import { type AwsAnswer, type AwsRequest, jsonAnswer } from '../aws-request.ts';

const OPERATIONS = {
  SendCommand: SendCommand$,
  GetCommandInvocation: GetCommandInvocation$,
  CancelCommand: CancelCommand$,
};
export type SsmOperation = keyof typeof OPERATIONS;

const CONTENT_TYPE = 'application/x-amz-json-1.1';
const JSON_SETTINGS = { timestampFormat: { useTrait: true, default: 7 as const }, jsonName: false };

export function isSsmOperation(name: string): name is SsmOperation {
  return Object.hasOwn(OPERATIONS, name);
}

export async function readInput(operation: SsmOperation, request: AwsRequest): Promise<unknown> {
  const schema = NormalizedSchema.of(OPERATIONS[operation][4]);
  return new JsonShapeDeserializer(JSON_SETTINGS).read(schema, request.body.toString() || '{}');
}

export function writeOutput(operation: SsmOperation, output: unknown): AwsAnswer {
  const serializer = new JsonShapeSerializer(JSON_SETTINGS);
  serializer.write(NormalizedSchema.of(OPERATIONS[operation][5]), output);
  return { ...jsonAnswer({}, 200, CONTENT_TYPE), body: serializer.flush() as string };
}

export function writeError(code: string, message: string): AwsAnswer {
  return jsonAnswer({ __type: code, message }, 400, CONTENT_TYPE);
}
