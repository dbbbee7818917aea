// DynamoDB on the sandbox's port: dynalite in memory, called in process without a socket of its own.

import { Readable } from 'node:stream';
import dynalite from 'dynalite';
import { type AwsAnswer, type AwsService, type JsonObject, jsonAnswer } from './aws-request.ts';

export interface DynamoDb {
  handle: AwsService;
  /** Calls an operation as the sandbox itself; an error answer is thrown. */
  call(operation: string, input: JsonObject): Promise<JsonObject>;
}

export function makeDynamoDb(): DynamoDb {
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });

  const dispatch = (headers: Record<string, unknown>, body: Buffer): Promise<AwsAnswer> =>
    new Promise((resolve) => {
      const request = Object.assign(Readable.from([body]), { method: 'POST', url: '/', headers });
      const answerHeaders: Record<string, string> = {};
      const response = {
        statusCode: 200,
        setHeader: (name: string, value: unknown) => {
          answerHeaders[name.toLowerCase()] = String(value);
        },
        end: (text: string | Buffer = '') =>
          resolve({ status: response.statusCode, headers: answerHeaders, body: text }),
      };
      server.emit('request', request, response);
    });

  return {
    handle: async (request) => {
      // dynalite knows no UpdateTimeToLive, and items that expire hours later matter to nobody here.
      if (request.operation === 'UpdateTimeToLive') {
        const input = JSON.parse(request.body.toString()) as JsonObject;
        return jsonAnswer({ TimeToLiveSpecification: input['TimeToLiveSpecification'] });
      }
      // dynalite insists on a signature's form; requests without one are let in like anywhere else here.
      return dispatch({ ...SIGNED, ...request.headers }, request.body);
    },
    call: async (operation, input) => {
      const answer = await dispatch(
        {
          ...SIGNED,
          'content-type': 'application/x-amz-json-1.0',
          'x-amz-target': `DynamoDB_20120810.${operation}`,
        },
        Buffer.from(JSON.stringify(input)),
      );
      if (answer.status !== 200) throw new Error(`DynamoDB ${operation}: ${String(answer.body)}`);
      return JSON.parse(String(answer.body)) as JsonObject;
    },
  };
}

const SIGNED = {
  authorization:
    'AWS4-HMAC-SHA256 Credential=sandbox/20200101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
  'x-amz-date': '20200101T000000Z',
};
