/** EC2's refusals: its codes, its messages, and the HTTP status each code travels with. */

const statusByCode: Readonly<Record<string, number>> = {
  UnauthorizedOperation: 403,
  DryRunOperation: 412,
  InternalError: 500,
  InternalFailure: 500,
  EC2ThrottledException: 503,
  RequestLimitExceeded: 503,
  ServiceUnavailable: 503,
  Unavailable: 503,
};

export class Ec2Error extends Error {
  override readonly name = 'Ec2Error';
  readonly code: string;
  readonly httpStatus: number;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
    this.httpStatus = statusByCode[code] ?? 400;
  }
}

export const invalidValue = (message: string) => new Ec2Error('InvalidParameterValue', message);
export const invalidCombination = (message: string) => new Ec2Error('InvalidParameterCombination', message);
export const notPermitted = (message: string) => new Ec2Error('OperationNotPermitted', message);
export const missing = (parameter: string) =>
  new Ec2Error('MissingParameter', `The request must contain the parameter ${parameter}`);
export const unknownParameter = (parameter: string) =>
  new Ec2Error('UnknownParameter', `The parameter ${parameter} is not recognized`);
