/** Proves where Region, credentials and explanations come from, without a process or a network. */
import { describe, expect, it } from 'vitest';
import { CliError } from '../../cli/answer.ts';
import { explainError } from '../../cli/explain-error.ts';
import { awsEnvironment } from '../../cli/session.ts';
import { type FailureClass, InvalidInputError, PortError } from '../../shared/core/errors.ts';

describe('Region and credentials', () => {
  it('are made up for the sandbox when nobody chose any', () => {
    expect(awsEnvironment({}, {}, true)).toEqual({
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'eni-failover-cli',
      AWS_SECRET_ACCESS_KEY: 'sandbox',
    });
  });
  it('are left to the SDK for AWS', () => {
    expect(awsEnvironment({}, {}, false)).toEqual({});
  });
  it.each([
    [{ AWS_ACCESS_KEY_ID: 'AKIA', AWS_REGION: 'eu-west-1' }, {}, { AWS_REGION: 'eu-west-1' }],
    [{ AWS_DEFAULT_REGION: 'eu-west-1', AWS_ACCESS_KEY_ID: 'AKIA' }, {}, { AWS_REGION: 'eu-west-1' }],
    [
      { AWS_PROFILE: 'dev', AWS_REGION: 'eu-west-1' },
      { region: 'eu-west-2' },
      { AWS_REGION: 'eu-west-2', AWS_PROFILE: 'dev' },
    ],
  ])('are what was chosen: %j and %j', (env, options, expected) => {
    expect(awsEnvironment(options, env, true)).toEqual(expected);
  });
  it('come from the profile that was asked for, not from keys in the environment', () => {
    const env = { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 's', AWS_REGION: 'eu-west-1' };
    expect(awsEnvironment({ profile: 'prod' }, env, false)).toEqual({
      AWS_REGION: 'eu-west-1',
      AWS_PROFILE: 'prod',
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
    });
  });
});

describe('errors', () => {
  const port = (failure: FailureClass, code: string, text = 'no') => new PortError(failure, code, text);

  it.each([
    [port('unavailable', 'UnknownError', 'Region is missing'), 'usage', '--region'],
    [port('denied', 'CredentialsProviderError'), 'failed', '--profile'],
    [port('denied', 'ExpiredTokenException'), 'failed', 'aws sso login'],
    [port('denied', 'UnrecognizedClientException'), 'failed', 'does not accept the credentials'],
    [port('denied', 'AccessDeniedException'), 'failed', 'lack of permission'],
    [port('refused', 'ResourceNotFoundException'), 'failed', '--state-table'],
    [port('throttled', 'Throttling'), 'failed', 'try again'],
    [port('unavailable', 'ENOTFOUND', 'getaddrinfo'), 'failed', 'check the network'],
    [port('refused', 'ValidationException', 'bad'), 'failed', 'ValidationException: bad'],
    [new InvalidInputError('the item', ['rev: is missing']), 'failed', 'register the service again'],
    [new CliError('usage', 'there is no file x'), 'usage', 'there is no file x'],
    [new TypeError('x is not a function'), 'failed', '--debug'],
    ['thrown text', 'failed', 'thrown text'],
  ])('are one sentence with a way out: %s', (error, outcome, said) => {
    const explained = explainError(error);
    expect(explained).toMatchObject({ outcome, message: expect.stringContaining(said) });
    expect(explained.message).not.toContain('\n');
  });
});
