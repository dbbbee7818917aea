/** Proves that a function starts only with a whole environment, and names all that is wrong with it at once. */
import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../shared/core/errors.ts';
import { allowedBy, parseConfig } from '../../shared/runtime/config.ts';

const env = {
  STATE_TABLE: 'state',
  IDEMPOTENCY_TABLE: 'idempotency',
  WORK_QUEUE_URL: 'https://sqs.us-east-1.amazonaws.com/123456789012/work',
  TOPIC_ARN: 'arn:aws:sns:us-east-1:123456789012:notices',
};

function problemsOf(given: Record<string, string | undefined>): readonly string[] {
  try {
    parseConfig(given);
  } catch (error) {
    if (error instanceof InvalidInputError) return error.problems;
    throw error;
  }
  return [];
}

describe('parseConfig', () => {
  it('takes its four variables and nothing else of the environment', () => {
    expect(parseConfig({ ...env, PATH: '/bin', AWS_SECRET_ACCESS_KEY: 'secret' })).toStrictEqual(env);
  });
  it('takes the URL of a queue on this machine and the ARN of another partition', () => {
    const local = {
      ...env,
      WORK_QUEUE_URL: 'http://127.0.0.1:4566/000000000000/work',
      TOPIC_ARN: 'arn:aws-cn:sns:cn-north-1:123456789012:notices',
    };
    expect(parseConfig(local)).toStrictEqual(local);
  });
  it('takes what the stack switches on, and does without', () => {
    const switches = { FENCING: 'on', HOOK_DOCUMENTS: 'promote,stop-app', HOOK_FUNCTIONS: 'off' };
    expect(parseConfig({ ...env, ...switches })).toStrictEqual({ ...env, ...switches });
    expect(parseConfig({ ...env, HOOK_DOCUMENTS: '' })).toStrictEqual({ ...env, HOOK_DOCUMENTS: '' });
  });
  it.each(Object.keys(env))('names %s when it is missing', (name) => {
    const problems = problemsOf({ ...env, [name]: undefined });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name}: .`));
  });
  it.each([
    ['STATE_TABLE', ''],
    ['IDEMPOTENCY_TABLE', ''],
    ['WORK_QUEUE_URL', ''],
    ['WORK_QUEUE_URL', 'work'],
    ['TOPIC_ARN', ''],
    ['TOPIC_ARN', 'notices'],
    ['FENCING', 'true'],
    ['FENCING', ''],
    ['HOOK_FUNCTIONS', 'yes'],
  ])('names %s when it is %j', (name, value) => {
    const problems = problemsOf({ ...env, [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name}: must `));
  });
  it('names every problem at once', () => {
    const problems = problemsOf({ TOPIC_ARN: 'notices' });
    expect(problems.map((each) => each.split(':')[0])).toEqual([
      'STATE_TABLE',
      'IDEMPOTENCY_TABLE',
      'WORK_QUEUE_URL',
      'TOPIC_ARN',
    ]);
  });
  it('puts the problems into the words of the error, and no value of the environment', () => {
    const start = () => parseConfig({ ...env, TOPIC_ARN: 'secret-topic' });
    expect(start).toThrow(/TOPIC_ARN: must be the ARN of the SNS topic/);
    expect(start).not.toThrow(/secret-topic/);
  });
});

describe('what the stack allows', () => {
  it('is not known where nobody said', () => {
    expect(allowedBy(parseConfig(env))).toStrictEqual({
      fencing: undefined,
      hookDocuments: undefined,
      hookFunctions: undefined,
    });
  });
  it.each([
    [
      'on',
      'promote, stop-app',
      { fencing: true, hookDocuments: ['promote', 'stop-app'], hookFunctions: true },
    ],
    ['off', '', { fencing: false, hookDocuments: [], hookFunctions: false }],
  ])('is read: %s and %j', (value, documents, allowed) => {
    const switches = { FENCING: value, HOOK_DOCUMENTS: documents, HOOK_FUNCTIONS: value };
    expect(allowedBy(parseConfig({ ...env, ...switches }))).toStrictEqual(allowed);
  });
});
