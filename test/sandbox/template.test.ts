// A template's intrinsic functions resolve as CloudFormation resolves them; what the sandbox does not know is named.

import { describe, expect, it } from 'vitest';
import { resolveTemplate, type Value } from '../../sandbox/template.ts';

const options = {
  stackName: 'stack',
  region: 'us-east-1',
  accountId: '000000000000',
  parameters: {},
  ignores: () => false,
  attributesOf: ({ logicalId }: { logicalId: string }) => ({
    ref: `ref-${logicalId}`,
    attributes: { Arn: `arn-${logicalId}` },
  }),
};

/** What `Value` becomes as a property of a resource. */
function resolved(value: string, rest = '', parameters: Record<string, string> = {}): Value | undefined {
  const yaml = `
Parameters:
  Size: { Type: Number, Default: 3 }
  Empty: { Type: String, Default: '' }
  Zones: { Type: CommaDelimitedList, Default: 'a, b' }
Mappings: { Sizes: { small: { mb: 128 } } }
Conditions:
  IsBig: !Equals [!Ref Size, 9]
  HasEmpty: !Not [!Equals [!Ref Empty, '']]
  Either: !Or [!Condition IsBig, !Condition HasEmpty]
  Both: !And [!Not [!Condition IsBig], !Equals [a, a]]
${rest}
Resources:
  Queue: { Type: T }
  Subject:
    Type: T
    Properties:
      Value: ${value}
`;
  const template = resolveTemplate(yaml, { ...options, parameters });
  return template.resources.find(({ logicalId }) => logicalId === 'Subject')?.properties['Value'];
}

describe('a template', () => {
  it.each<[string, Value]>([
    ['!Ref Size', '3'],
    ['{Ref: Size}', '3'],
    ['!Ref Zones', ['a', 'b']],
    ['!Ref Queue', 'ref-Queue'],
    ['!Ref AWS::AccountId', '000000000000'],
    ['!GetAtt Queue.Arn', 'arn-Queue'],
    ['!GetAtt [Queue, Arn]', 'arn-Queue'],
    ['{"Fn::GetAtt": [Queue, Arn]}', 'arn-Queue'],
    [`!Sub '\${Queue.Arn}/\${AWS::Region}/\${Size}/\${!Literal}'`, `arn-Queue/us-east-1/3/\${Literal}`],
    [`!Sub ['\${X}-\${Size}', {X: !Ref Queue}]`, 'ref-Queue-3'],
    ['!If [IsBig, big, small]', 'small'],
    ['!If [Either, yes, no]', 'no'],
    ['!If [Both, {a: 1}, {b: 2}]', { a: 1 }],
    ['!Join ["-", [a, !Ref Size]]', 'a-3'],
    ['!Select [1, !Split [",", "a,b"]]', 'b'],
    ['!FindInMap [Sizes, small, mb]', 128],
    ['[a, !Ref AWS::NoValue, null]', ['a', null]],
    ['{a: !Ref AWS::NoValue, b: 1}', { b: 1 }],
  ])('resolves %s', (expression, expected) => {
    expect(resolved(expression)).toEqual(expected);
  });

  it('takes the values that it is given for its parameters', () => {
    expect(resolved('!If [IsBig, big, small]', '', { Size: '9' })).toBe('big');
  });

  it('leaves out a resource whose condition does not hold', () => {
    const { resources } = resolveTemplate(
      'Conditions: {No: !Equals [a, b]}\nResources: {Q: {Type: T, Condition: No}}',
      options,
    );
    expect(resources).toEqual([]);
  });

  it('evaluates its outputs', () => {
    const { outputs } = resolveTemplate(
      'Resources: {Q: {Type: T}}\nOutputs: {Url: {Value: !Ref Q}}',
      options,
    );
    expect(outputs).toEqual({ Url: 'ref-Q' });
  });

  it('merges the globals of functions into each function', () => {
    const { resources } = resolveTemplate(
      `
Globals: { Function: { Timeout: 5, MemorySize: 128, Environment: { Variables: { A: globals, B: globals } } } }
Resources: { F: { Type: AWS::Serverless::Function, Properties: { Timeout: 9, Environment: { Variables: { B: own } } } } }`,
      options,
    );
    expect(resources[0]?.properties).toEqual({
      Timeout: 9,
      MemorySize: 128,
      Environment: { Variables: { A: 'globals', B: 'own' } },
    });
  });

  it.each<[string, string]>([
    ['!Ref Nothing', "'Nothing' is neither a parameter nor a resource"],
    ['!GetAtt Queue.Length', "no attribute 'Length' of 'Queue'"],
    ['!If [Unknown, a, b]', "no condition 'Unknown'"],
    ['{"Fn::Base64": x}', 'does not know the intrinsic function Fn::Base64'],
    ['!ImportValue x', '!ImportValue'],
    ['!Select [7, [a]]', 'beyond the end'],
    ['{a: }', 'Resources.Subject.Properties.Value.a: is empty'],
  ])('refuses %s', (expression, message) => {
    expect(() => resolved(expression)).toThrow(message);
  });

  it.each<[string, string]>([
    ['Rules: {}\nResources: {}', "does not know the section 'Rules'"],
    [
      'Resources: {Q: {Type: T, CreationPolicy: {}}}',
      "Resources.Q: the sandbox does not know the attribute 'CreationPolicy'",
    ],
    ['Parameters: {P: {Type: String}}\nResources: {}', 'Parameters.P: has no default'],
    [
      'Parameters: {P: {Type: "AWS::SSM::Parameter::Value<String>", Default: x}}\nResources: {}',
      'Parameters.P: the sandbox does not know the type',
    ],
    [
      'Parameters: {P: {Type: String, Default: c, AllowedValues: [a, b]}}\nResources: {}',
      "'c' is not one of a, b",
    ],
    [
      'Conditions: {A: !Condition B, B: !Condition A}\nResources: {Q: {Type: T, Condition: A}}',
      'refers to itself',
    ],
    ['Resources: [', 'Flow sequence'],
  ])('refuses the template %s', (yaml, message) => {
    expect(() => resolveTemplate(yaml, options)).toThrow(message);
  });

  it('refuses a value for a parameter that it does not have', () => {
    expect(() => resolved('1', '', { Typo: 'x' })).toThrow("no parameter 'Typo'");
  });
});
