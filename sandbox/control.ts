// The sandbox's own endpoints under /_sandbox/: break things, watch what happens, start afresh.

import * as v from 'valibot';
import { type AwsAnswer, jsonAnswer } from './aws-request.ts';
import { type DataPlane, DataPlaneError } from './data-plane/data-plane.ts';
import type { Deployment } from './deployment.ts';
import type { Ec2Model } from './ec2/model.ts';
import type { KillTriggers } from './kill-triggers.ts';
import type { ServiceFaults } from './service-faults.ts';
import { askAt, DocumentName, LoopbackUrl } from './ssm/document.ts';
import type { RunCommand } from './ssm/run-command.ts';
import type { Stack } from './stack.ts';

export interface Attachment {
  at: string;
  eniId: string;
  attachmentId: string;
  instanceId: string;
  status: string;
}

export interface ControlOptions {
  ec2: Ec2Model;
  ssm: RunCommand;
  dataPlane: DataPlane;
  stack: Stack;
  faults: ServiceFaults;
  killTriggers: KillTriggers;
  attachments: Attachment[];
  problems: { at: string; message: string }[];
  /** Another one after each reset. */
  deployment(): Deployment;
  reset(): Promise<void>;
}

type Control = (method: string, path: string, body: string) => Promise<AwsAnswer>;

const positiveInteger = v.pipe(v.number(), v.integer(), v.minValue(1));
const delay = v.pipe(v.number(), v.minValue(0));
const text = v.pipe(v.string(), v.nonEmpty());
const check = v.picklist(['system', 'instance', 'ebs']);

const Impair = v.strictObject({
  instanceId: text,
  check,
  status: v.optional(v.picklist(['impaired', 'insufficient-data']), 'impaired'),
});
const Recover = v.strictObject({ instanceId: text, check: v.optional(check) });
/** What only the EC2 model knows: faults for some inputs, a message, an effect that comes late. */
const ec2FaultFields = {
  match: v.optional(v.record(v.string(), v.unknown())),
  message: v.optional(v.string()),
  lateMs: v.optional(delay),
};
const Fault = v.pipe(
  v.strictObject({
    service: v.optional(
      v.picklist([
        'ec2',
        'dynamodb',
        'sns',
        'sqs',
        'cloudwatch',
        'lambda',
        'ssm',
        'events',
        'cloudformation',
      ]),
      'ec2',
    ),
    operation: text,
    code: v.optional(text),
    delayMs: v.optional(delay),
    times: v.optional(positiveInteger, 1),
    applied: v.optional(v.boolean()),
    ...ec2FaultFields,
  }),
  v.forward(
    v.check(
      ({ code, delayMs }) => code !== undefined || delayMs !== undefined,
      'a fault has a code, a delayMs, or both',
    ),
    ['code'],
  ),
  v.forward(
    v.check(
      ({ service, match, message, lateMs }) =>
        service === 'ec2' || (match === undefined && message === undefined && lateMs === undefined),
      'only EC2 knows match, message and lateMs',
    ),
    ['service'],
  ),
);
const Stick = v.strictObject({ id: text });
const Configure = v.strictObject({
  latency: v.optional(v.picklist(['instant', 'realistic'])),
  consistencyLagMs: v.optional(delay),
  throttle: v.optional(v.boolean()),
});
const Document = v.strictObject({
  name: DocumentName,
  url: LoopbackUrl,
  parameters: v.optional(v.array(text), []),
  executionTimeoutSec: v.optional(positiveInteger),
});
const SsmTimes = v.strictObject({ visibleAfterMs: v.optional(delay), deliveryMs: v.optional(delay) });
const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));
const Listen = v.pipe(
  v.strictObject({ eni: v.optional(text), address: v.optional(text), port }),
  v.check(
    ({ eni, address }) => eni !== undefined || address !== undefined,
    'names an eni, an address, or both',
  ),
);
/** The sandbox connects to this machine and to nobody else. */
const target = v.strictObject({
  host: v.optional(v.picklist(['127.0.0.1', 'localhost']), '127.0.0.1'),
  port,
});
const Process = v.strictObject({ instanceId: text, port, target: v.nullable(target) });
const NoProcess = v.strictObject({ instanceId: text, port });
const EventBody = v.looseObject({
  source: text,
  'detail-type': text,
  detail: v.record(v.string(), v.unknown()),
});
const Kill = v.strictObject({
  function: text,
  when: v.union(
    [
      v.literal('now'),
      v.strictObject({
        after: v.strictObject({
          service: v.optional(text, 'ec2'),
          operation: text,
          times: v.optional(positiveInteger, 1),
          answer: v.optional(v.picklist(['lost', 'sent']), 'lost'),
        }),
      }),
    ],
    'is "now" or {"after": {"operation": …, "times": 1, "answer": "lost" | "sent"}}',
  ),
});

class BadRequest extends Error {}

export function makeControl(options: ControlOptions): Control {
  const { ec2, ssm, dataPlane, stack, faults, killTriggers, deployment } = options;

  const existingInstance = <T>(run: () => T): T => {
    try {
      return run();
    } catch (error) {
      throw new BadRequest(`instanceId: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  /** By its name, or by its logical id in the template. */
  const functionNamed = (nameOrLogicalId: string) => {
    const pool = deployment().lambda.pool(stack.physicalIds[nameOrLogicalId] ?? nameOrLogicalId);
    if (pool !== undefined) return pool;
    const known = stack.functions.map(({ name }) => name).join(', ');
    throw new BadRequest(`function: there is no '${nameOrLogicalId}', only ${known}`);
  };

  const endpoints: Record<string, (body: string) => unknown> = {
    'POST /_sandbox/ec2/impair': (body) => {
      const { instanceId, check, status } = parse(Impair, body);
      existingInstance(() => ec2.impair(instanceId, check, status));
      return { instanceId, check, status };
    },
    'POST /_sandbox/ec2/recover': (body) => {
      const { instanceId, check } = parse(Recover, body);
      existingInstance(() => ec2.recover(instanceId, check));
      return { instanceId, ...(check === undefined ? {} : { check }), status: 'ok' };
    },
    'POST /_sandbox/ec2/stick': (body) => {
      const { id } = parse(Stick, body);
      ec2.stick(id);
      return { id };
    },
    'POST /_sandbox/ec2/unstick': (body) => {
      const { id } = parse(Stick, body);
      ec2.unstick(id);
      return { id };
    },
    'POST /_sandbox/ec2/configure': (body) => {
      const settings = withoutUndefined(parse(Configure, body));
      ec2.configure(settings);
      return settings;
    },
    'GET /_sandbox/ec2/calls': () => ec2.calls(),
    'GET /_sandbox/ec2/attachments': () => options.attachments,
    'POST /_sandbox/faults': (body) => {
      const fault = withoutUndefined(parse(Fault, body));
      const { service, ...rest } = fault;
      if (service === 'ec2') ec2.addFault(rest);
      else faults.add({ ...rest, service });
      return fault;
    },
    'DELETE /_sandbox/faults': () => {
      ec2.clearFaults();
      faults.clear();
      return {};
    },
    'POST /_sandbox/ssm/documents': (body) => {
      const document = withoutUndefined(parse(Document, body));
      const { url, ...declared } = document;
      ssm.register({ ...declared, run: askAt(url) });
      return document;
    },
    'GET /_sandbox/ssm/documents': () => ssm.documents(),
    'GET /_sandbox/ssm/commands': () => ssm.commands(),
    'POST /_sandbox/ssm/configure': (body) => {
      const times = withoutUndefined(parse(SsmTimes, body));
      ssm.configure(times);
      return times;
    },
    'POST /_sandbox/data-plane/listen': async (body) => {
      try {
        return await dataPlane.listen(withoutUndefined(parse(Listen, body)));
      } catch (error) {
        throw error instanceof DataPlaneError ? new BadRequest(`body: ${error.message}`) : error;
      }
    },
    'POST /_sandbox/data-plane/process': (body) => {
      const process = parse(Process, body);
      if (ec2.guest(process.instanceId) === undefined) {
        throw new BadRequest(`instanceId: there is no instance ${process.instanceId}`);
      }
      dataPlane.setProcess(process.instanceId, process.port, process.target);
      return process;
    },
    'DELETE /_sandbox/data-plane/process': (body) => {
      const process = parse(NoProcess, body);
      dataPlane.setProcess(process.instanceId, process.port, null);
      return { ...process, target: null };
    },
    'GET /_sandbox/data-plane': () => ({
      listeners: dataPlane.listeners(),
      processes: dataPlane.processes(),
    }),
    'POST /_sandbox/events': (body) => deployment().eventBridge.put(parse(EventBody, body)),
    'GET /_sandbox/events': () => deployment().eventBridge.records(),
    'GET /_sandbox/sns/messages': () => deployment().messaging.messages(),
    'GET /_sandbox/lambda/invocations': () => deployment().lambda.invocations(),
    'POST /_sandbox/lambda/kill': async (body) => {
      const { function: name, when } = parse(Kill, body);
      const pool = functionNamed(name);
      if (when === 'now') return { killed: await pool.kill() };
      const trigger = { functionName: pool.spec.name, ...when.after };
      killTriggers.add(trigger);
      return trigger;
    },
    'GET /_sandbox/state': async () => ({
      outputs: stack.outputs,
      resources: stack.physicalIds,
      functions: deployment()
        .lambda.pools()
        .map(({ spec, environments }) => ({ name: spec.name, environments: environments() })),
      queues: await deployment().messaging.queues(),
      alarms: deployment().alarms.describeAlarms({
        AlarmTypes: ['MetricAlarm', 'CompositeAlarm'],
        MaxRecords: 100,
      }),
      faults: [...ec2.faults().map((fault) => ({ service: 'ec2', ...fault })), ...faults.list()],
      kills: killTriggers.list(),
      problems: options.problems,
    }),
    'POST /_sandbox/reset': async () => {
      await options.reset();
      return {};
    },
  };

  return async (method, path, body) => {
    const endpoint = endpoints[`${method} ${path}`];
    if (endpoint === undefined) {
      return json({ error: `${method} ${path} does not exist`, endpoints: Object.keys(endpoints) }, 404);
    }
    try {
      return json(await endpoint(body), 200);
    } catch (error) {
      if (error instanceof BadRequest) return json({ error: error.message }, 400);
      throw error;
    }
  };
}

function parse<T>(schema: v.GenericSchema<unknown, T>, body: string): T {
  const result = v.safeParse(schema, parseJson(body));
  if (result.success) return result.output;
  throw new BadRequest(
    result.issues.map((issue) => `${v.getDotPath(issue) ?? 'body'}: ${issue.message}`).join('; '),
  );
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new BadRequest('body: is not JSON');
  }
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Defined<T>;
}

function json(value: unknown, status: number): AwsAnswer {
  return { ...jsonAnswer(value, status, 'application/json'), body: `${JSON.stringify(value, null, 2)}\n` };
}
