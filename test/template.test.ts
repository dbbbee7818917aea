/** Proves what the role of functions/failover may do for each choice of the stack's parameters, and what the stack says of it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTemplate } from '../sandbox/template.ts';

const file = path.join(import.meta.dirname, '..', 'template.yaml');

type Statement = Readonly<Record<string, unknown>>;

function stack(parameters: Record<string, string> = {}) {
  const template = readTemplate(file, {
    stackName: 'stack',
    region: 'us-east-1',
    accountId: '123456789012',
    parameters,
    ignores: () => false,
    attributesOf: ({ logicalId }) => {
      const known = { Arn: `arn-${logicalId}`, QueueName: logicalId, FunctionUrl: `url-of-${logicalId}` };
      return { ref: logicalId, attributes: known };
    },
  });
  const properties = (logicalId: string) =>
    template.resources.find((each) => each.logicalId === logicalId)?.properties ?? {};
  const statements = (logicalId: string) =>
    (properties(logicalId)['Policies'] as unknown as readonly { Statement: readonly Statement[] }[]).flatMap(
      (each) => each.Statement,
    );
  const environment = properties('FailoverFunction')['Environment'] as { Variables: object };
  return { template, statements, variables: environment.Variables, properties };
}

const may = (statements: readonly Statement[], action: RegExp) =>
  statements.filter((each) => action.test(JSON.stringify(each['Action'])));
const beyondTheMove = /StopInstances|ssm:|InvokeFunction/;

describe('the stack', () => {
  it('gives no right to stop an instance or to run anything unless it is asked to', () => {
    const { statements, variables, template } = stack();
    expect(may(statements('FailoverFunction'), beyondTheMove)).toEqual([]);
    expect(variables).toMatchObject({ FENCING: 'off', HOOK_DOCUMENTS: '', HOOK_FUNCTIONS: 'off' });
    expect(template.outputs).toMatchObject({ Fencing: 'off', HookFunctions: 'off' });
    expect(template.outputs).not.toHaveProperty('HookDocuments');
  });
  it('lets functions/failover stop tagged instances once fencing is switched on', () => {
    const { statements, variables, template } = stack({ Fencing: 'on' });
    expect(may(statements('FailoverFunction'), beyondTheMove)).toEqual([
      {
        Sid: 'StopTaggedInstances',
        Effect: 'Allow',
        Action: 'ec2:StopInstances',
        Resource: 'arn:aws:ec2:us-east-1:123456789012:instance/*',
        Condition: { StringEquals: { 'aws:ResourceTag/eni-failover': 'managed' } },
      },
    ]);
    expect(variables).toMatchObject({ FENCING: 'on' });
    expect(template.outputs).toMatchObject({ Fencing: 'on' });
  });
  it('lets it send the named documents to tagged instances of this account and Region', () => {
    const { statements, variables, template } = stack({
      HookDocuments: 'promote-replica, AWS-RunShellScript',
    });
    const [documents, instances, follow, ...more] = may(statements('FailoverFunction'), beyondTheMove);
    expect(more).toEqual([]);
    expect(documents).toMatchObject({
      Action: 'ssm:SendCommand',
      Resource: ['arn:*:ssm:*:*:document/promote-replica', 'arn:*:ssm:*:*:document/AWS-RunShellScript'],
    });
    expect(instances).toMatchObject({
      Action: 'ssm:SendCommand',
      Resource: 'arn:aws:ec2:us-east-1:123456789012:instance/*',
      Condition: { StringEquals: { 'ssm:resourceTag/eni-failover': 'managed' } },
    });
    expect(follow).toMatchObject({ Action: ['ssm:GetCommandInvocation', 'ssm:ListCommandInvocations'] });
    expect(variables).toMatchObject({ HOOK_DOCUMENTS: 'promote-replica,AWS-RunShellScript' });
    expect(template.outputs).toMatchObject({ HookDocuments: 'promote-replica,AWS-RunShellScript' });
  });
  it('lets it call functions by their prefix, and no other', () => {
    const { statements, variables } = stack({ HookFunctions: 'on' });
    expect(may(statements('FailoverFunction'), beyondTheMove)).toMatchObject([
      {
        Action: 'lambda:InvokeFunction',
        Resource: 'arn:aws:lambda:us-east-1:123456789012:function:eni-failover-hook-*',
      },
    ]);
    expect(variables).toMatchObject({ HOOK_FUNCTIONS: 'on' });
  });
  it('never gives the sweep a right to change EC2 or to run anything', () => {
    const { statements } = stack({ Fencing: 'on', HookDocuments: 'promote', HookFunctions: 'on' });
    const rights = may(statements('SweepFunction'), /Stop|Attach|Detach|Modify|ssm:|InvokeFunction/);
    expect(rights.map((each) => each['Sid'])).toEqual(['InvokeWhenTheQueueRefuses']);
  });
  it('never gives functions/control a right to change EC2, to delete or to run anything', () => {
    const { statements } = stack({ Fencing: 'on', HookDocuments: 'promote', HookFunctions: 'on' });
    const more = may(statements('ControlFunction'), /Stop|Attach|Detach|Modify|ssm:|lambda:|Delete|Scan/);
    expect(more.map((each) => each['Sid'])).toEqual(['NothingOfTheStateIsEverDeleted']);
    expect(more.map((each) => each['Effect'])).toEqual(['Deny']);
  });
  it('lets functions/audit read the table and do nothing else', () => {
    const { statements, properties } = stack({
      Fencing: 'on',
      HookDocuments: 'promote',
      HookFunctions: 'on',
    });
    expect(statements('AuditFunction')).toMatchObject([
      { Effect: 'Allow', Action: ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:Query'] },
    ]);
    expect(properties('AuditFunction')).toMatchObject({ FunctionUrlConfig: { AuthType: 'AWS_IAM' } });
  });
  it('lets nobody invoke a function past its URL, where an event could name any caller', () => {
    const { properties } = stack();
    const { Statement } = properties('OperatorPolicy')['PolicyDocument'] as unknown as {
      Statement: readonly Statement[];
    };
    expect(may(Statement, /lambda:/)).toMatchObject([
      {
        Action: 'lambda:InvokeFunctionUrl',
        Condition: { StringEquals: { 'lambda:FunctionUrlAuthType': 'AWS_IAM' } },
      },
      { Action: 'lambda:InvokeFunction', Condition: { Bool: { 'lambda:InvokedViaFunctionUrl': 'true' } } },
    ]);
    expect(may(Statement, /Put|Update|Delete|Send|Publish|Attach|Detach/)).toEqual([]);
    expect(properties('ControlFunction')).toMatchObject({
      Timeout: 15,
      FunctionUrlConfig: { AuthType: 'AWS_IAM' },
    });
  });
  it('joins by fixed text only: CloudFormation takes no function as a delimiter', () => {
    const text = readFileSync(file, 'utf8');
    const delimiters = [...text.matchAll(/!Join\s*(?:\[|\n\s*-)\s*(\S)/g)].map((each) => each[1]);
    expect(delimiters.length).toBeGreaterThan(3);
    expect(new Set(delimiters)).toEqual(new Set(["'"]));
  });
  it('takes no other word for on and off', () => {
    expect(() => stack({ Fencing: 'true' })).toThrow("'true' is not one of off, on");
    expect(() => stack({ HookFunctions: 'yes' })).toThrow("'yes' is not one of off, on");
  });
  it("hears of its own sweep only: a second stack's heartbeat is not this one's", () => {
    const { template, properties } = stack();
    const alarms = template.resources
      .map((each) => each.properties)
      .filter((each) => each['Namespace'] === 'EniFailover');
    expect(alarms.length).toBeGreaterThan(4);
    const { Variables } = properties('SweepFunction')['Environment'] as { Variables: Record<string, string> };
    expect(Variables['POWERTOOLS_SERVICE_NAME']).toBe('stack');
    for (const alarm of alarms) expect(alarm['Dimensions']).toEqual([{ Name: 'service', Value: 'stack' }]);
  });
  it.each(['Control', 'Audit'])(
    'hears of what functions/%s answers when it fails, for it never throws',
    (name) => {
      expect(stack().properties(`${name}ErrorsAlarm`)).toMatchObject({
        Namespace: 'AWS/Lambda',
        MetricName: 'Url5xxCount',
        Dimensions: [{ Name: 'FunctionName', Value: `${name}Function` }],
        Statistic: 'Sum',
        Threshold: 1,
        TreatMissingData: 'notBreaching',
      });
    },
  );
  it('stands in alarm for as long as the sweep counts a service without a standby', () => {
    expect(stack().properties('NoStandbyLeftAlarm')).toMatchObject({
      MetricName: 'NoStandbyLeft',
      Statistic: 'Maximum',
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      AlarmActions: ['NoticeTopic'],
    });
  });
});
