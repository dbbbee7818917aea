/** The template that the demo deploys: the product's own, and beside it the usual forty lines with a rule of theirs. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { alarmOf, type PairPlan } from './pair.ts';

export const usualWayFunction = 'FortyLinesFunction';

const toResource = ({ name, hosts }: PairPlan) => `
  # The usual way, for comparison: its own alarm, its own interface, Lambda's own two retries.
  ${usualWayFunction}:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: dist/forty-lines
      Handler: handler.handler
      MemorySize: 512
      Timeout: 120
      Environment:
        Variables:
          ENI_NAME: ${name}
          STANDBY_NAME: ${hosts[1]}
      Events:
        AlarmWentOff:
          Type: EventBridgeRule
          Properties:
            Pattern:
              source: [aws.cloudwatch]
              detail-type: [CloudWatch Alarm State Change]
              detail:
                alarmName: [${alarmOf(hosts[0])}]
                state:
                  value: [ALARM]
`;

/** Throws where the template has no end of its resources that this could go to. */
export function withUsualWay(template: string, plan: PairPlan): string {
  const changed = template.replace(/\nOutputs:\n/, () => `${toResource(plan)}\nOutputs:\n`);
  if (changed === template) throw new Error('template.yaml has no Outputs behind its Resources any more');
  return changed;
}

export interface TemplateFile {
  readonly file: string;
  remove(): Promise<void>;
}

export async function writeTemplate(original: string, plan: PairPlan): Promise<TemplateFile> {
  const text = withUsualWay(await readFile(original, 'utf8'), plan);
  const folder = await mkdtemp(path.join(tmpdir(), 'eni-failover-demo-'));
  const file = path.join(folder, 'template.yaml');
  await writeFile(file, text);
  return { file, remove: () => rm(folder, { recursive: true, force: true }) };
}
