// EC2 on the sandbox's port: the model behind the Query protocol.

import { randomUUID } from 'node:crypto';
import type { AwsService } from './aws-request.ts';
import { Ec2Error, type Ec2Model } from './ec2/model.ts';
import { answerXml, errorXml, parseQuery } from './ec2/wire.ts';

export function makeEc2Endpoint(model: Ec2Model): AwsService {
  return async (request) => {
    const requestId = randomUUID();
    const headers = { 'content-type': 'text/xml;charset=UTF-8', 'x-amzn-requestid': requestId };
    try {
      const { operation, input } = parseQuery(request.body.toString());
      const output = await model.call(operation, input, request.accessKeyId);
      return { status: 200, headers, body: answerXml(operation, output, requestId) };
    } catch (error) {
      if (!(error instanceof Ec2Error)) throw error;
      return { status: error.httpStatus, headers, body: errorXml(error.code, error.message, requestId) };
    }
  };
}
