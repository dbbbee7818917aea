/** What went wrong, for a person: one sentence with the way out, instead of a stack trace. */
import { InvalidInputError, messageOf, PortError } from '../shared/core/errors.ts';
import { CliError, type Outcome } from './answer.ts';

export interface Explained {
  readonly outcome: Outcome & ('usage' | 'failed');
  readonly code: string;
  readonly message: string;
}

const expired = new Set(['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired']);
const unknownKeys = new Set([
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'AuthFailure',
]);

function explainPort({ code, failure, message }: PortError): string {
  if (message.includes('security token included in the request is expired') || expired.has(code))
    return `the AWS credentials have expired (${code}): sign in again, for example with: aws sso login`;
  if (code === 'CredentialsProviderError')
    return `no AWS credentials were found (${message}): pass --profile, or set AWS_PROFILE or AWS_ACCESS_KEY_ID`;
  if (unknownKeys.has(code))
    return `AWS does not accept the credentials (${message}): check --profile, --region and the clock`;
  if (code === 'ResourceNotFoundException')
    return `DynamoDB knows no such table (${message}): check --state-table, --region and the account`;
  if (failure === 'denied') return `AWS refused the call for lack of permission (${message})`;
  if (failure === 'throttled') return `AWS asks to slow down (${message}): try again in some seconds`;
  if (failure === 'unavailable')
    return `AWS could not be reached (${message}): check the network, --region and --endpoint-url, then try again`;
  return `AWS refused the call (${message})`;
}

/** The SDK says so without a code. */
const lacksRegion = (error: PortError) => error.message.includes('Region is missing');

/** Anything that was thrown. What nobody expected says how to see more. */
export function explainError(error: unknown): Explained {
  if (error instanceof CliError)
    return { outcome: error.outcome, code: error.outcome.toUpperCase(), message: error.message };
  if (error instanceof PortError && lacksRegion(error))
    return {
      outcome: 'usage',
      code: 'USAGE',
      message: 'no AWS Region is set: pass --region, or set AWS_REGION',
    };
  if (error instanceof PortError) return { outcome: 'failed', code: error.code, message: explainPort(error) };
  if (error instanceof InvalidInputError)
    return {
      outcome: 'failed',
      code: 'MALFORMED_STATE',
      message: `${error.message}: register the service again`,
    };
  return {
    outcome: 'failed',
    code: 'UNEXPECTED',
    message: `${messageOf(error)} (unexpected: run it again with --debug for details, and report it)`,
  };
}
