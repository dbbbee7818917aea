/** A sandbox with template.yaml deployed, the built bundles in it, and a service of two interfaces registered. */
import { CloudWatchClient, PutMetricAlarmCommand } from '@aws-sdk/client-cloudwatch';
import {
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeNetworkInterfacesCommand,
  EC2Client,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { type Sandbox, startSandbox } from '../../sandbox/server.ts';
import { register } from '../../shared/app/register.ts';
import { compose } from '../../shared/runtime/compose.ts';

const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: 'test' };
const managed = [{ Key: 'eni-failover', Value: 'managed' }];
const root = new URL('../..', import.meta.url).pathname;

export interface Stage {
  readonly sandbox: Sandbox;
  readonly ec2: EC2Client;
  readonly cloudwatch: CloudWatchClient;
  readonly instances: readonly string[];
  readonly enis: readonly string[];
  readonly ports: ReturnType<typeof compose>['ports'];
  holders(): Promise<readonly (string | undefined)[]>;
  get<T>(path: string): Promise<T>;
  post(path: string, body: unknown): Promise<unknown>;
  /** Asks again until the answer is one; the test's own time limit ends it. */
  until<T>(ask: () => Promise<T | undefined>): Promise<T>;
}

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

export interface StageOptions {
  readonly name: string;
  readonly alarm?: boolean;
  /** What the service declares beside its interfaces and members. */
  readonly declared?: Readonly<Record<string, unknown>>;
  /** Before the service is registered: what it declares must be there. */
  readonly prepare?: (stage: Stage) => Promise<void>;
}

/** Three instances in one zone; both service interfaces on the first. */
export async function openStage(options: StageOptions): Promise<Stage> {
  const sandbox = await startSandbox({ templateFile: `${root}template.yaml`, asyncRetryDelaysMs: [50, 100] });
  const client = { endpoint: sandbox.endpoint, region: sandbox.region, credentials };
  const ec2 = new EC2Client(client);
  const cloudwatch = new CloudWatchClient(client);

  const vpc = (await ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))).Vpc?.VpcId;
  const subnet = await ec2.send(
    new CreateSubnetCommand({ VpcId: vpc, CidrBlock: '10.0.1.0/24', AvailabilityZone: 'us-east-1a' }),
  );
  const SubnetId = subnet.Subnet?.SubnetId;
  const run = await ec2.send(
    new RunInstancesCommand({
      ImageId: 'ami-12345678',
      InstanceType: 'm6i.large',
      MinCount: 3,
      MaxCount: 3,
      SubnetId,
      TagSpecifications: [{ ResourceType: 'instance', Tags: managed }],
    }),
  );
  const instances = (run.Instances ?? []).map((each) => each.InstanceId ?? '');
  const enis: string[] = [];
  for (const index of [1, 2]) {
    const made = await ec2.send(
      new CreateNetworkInterfaceCommand({
        SubnetId,
        TagSpecifications: [{ ResourceType: 'network-interface', Tags: managed }],
      }),
    );
    const eni = made.NetworkInterface?.NetworkInterfaceId ?? '';
    await ec2.send(
      new AttachNetworkInterfaceCommand({
        NetworkInterfaceId: eni,
        InstanceId: instances[0],
        DeviceIndex: index,
      }),
    );
    enis.push(eni);
  }
  if (options.alarm !== false)
    await cloudwatch.send(
      new PutMetricAlarmCommand({
        AlarmName: `${options.name}-system`,
        Namespace: 'AWS/EC2',
        MetricName: 'StatusCheckFailed_System',
        Dimensions: [{ Name: 'InstanceId', Value: instances[0] ?? '' }],
        Statistic: 'Maximum',
        Period: 60,
        EvaluationPeriods: 2,
        Threshold: 1,
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      }),
    );

  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REGION: sandbox.region,
  });
  const output = (name: string) => String(sandbox.stack.outputs[name]);
  const { ports } = compose(
    {
      STATE_TABLE: output('StateTable'),
      IDEMPOTENCY_TABLE: output('IdempotencyTable'),
      WORK_QUEUE_URL: output('WorkQueueUrl'),
      TOPIC_ARN: output('NoticeTopicArn'),
    },
    { endpoint: sandbox.endpoint, log: quiet },
  );
  const stage: Stage = {
    sandbox,
    ec2,
    cloudwatch,
    instances,
    enis,
    ports,
    async holders() {
      const found = await ec2.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: enis }));
      return enis.map((eni) => {
        const one = found.NetworkInterfaces?.find((each) => each.NetworkInterfaceId === eni);
        return one?.Attachment?.Status === 'attached' ? one.Attachment.InstanceId : undefined;
      });
    },
    async get<T>(path: string) {
      return (await (await fetch(`${sandbox.endpoint}/_sandbox/${path}`)).json()) as T;
    },
    async post(path, body) {
      const answer = await fetch(`${sandbox.endpoint}/_sandbox/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
      return answer.json();
    },
    async until(ask) {
      for (;;) {
        const answer = await ask();
        if (answer !== undefined) return answer;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
  await stage.until(async () => ((await stage.holders()).every(Boolean) ? true : undefined));
  await options.prepare?.(stage);
  const registered = await register(ports, {
    author: 'test',
    declaration: {
      name: options.name,
      interfaces: enis.map((eni, index) => ({ eni, deviceIndex: index + 1 })),
      members: instances.map((instance) => ({ instance })),
      ...options.declared,
    },
  });
  if (registered.kind === 'rejected') throw new Error(registered.problems.join('\n'));
  return stage;
}
