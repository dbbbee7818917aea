/** The sandbox's own endpoints under /_sandbox/: break things, and read what happened. */

export interface Ec2Call {
  readonly atMs: number;
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly caller: string;
  /** `ok` or EC2's error code. */
  readonly outcome: string;
  readonly durationMs: number;
}

export interface AttachmentChange {
  readonly at: string;
  readonly eniId: string;
  readonly attachmentId: string;
  readonly instanceId: string;
  readonly status: 'attaching' | 'attached' | 'detaching' | 'detached';
}

export interface EventRecord {
  readonly at: string;
  readonly event: Readonly<Record<string, unknown>>;
  readonly deliveries: readonly {
    readonly ruleArn: string;
    readonly targetArn: string;
    readonly status: 'pending' | 'delivered' | 'dead-lettered' | 'dropped';
    readonly attempts: number;
  }[];
}

export interface Invocation {
  readonly requestId: string;
  readonly function: string;
  readonly accessKeyId: string;
  readonly trigger: string;
  readonly payload: string;
  readonly startedAt: string;
  readonly durationMs: number | null;
  /** Absent where the process was warm. */
  readonly initDurationMs: number | null;
  readonly outcome: string;
  readonly response: string | null;
}

export interface SnsMessage {
  readonly at: string;
  readonly subject: string | null;
  readonly message: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Fault {
  readonly service?: string;
  readonly operation: string;
  readonly code?: string;
  readonly message?: string;
  readonly match?: object;
  readonly times?: number;
  readonly delayMs?: number;
  readonly lateMs?: number;
  readonly applied?: boolean;
}

/** A command of Systems Manager on one instance. */
export interface SsmCommand {
  readonly documentName: string;
  readonly at: string;
  readonly instanceId: string;
  readonly status: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly output: string;
}

export interface Target {
  readonly host: string;
  readonly port: number;
}

export type Check = 'system' | 'instance' | 'ebs';
export type Latency = 'instant' | 'realistic';

export interface SandboxControl {
  impair(instanceId: string, check: Check): Promise<void>;
  configure(settings: { readonly latency: Latency }): Promise<void>;
  addFault(fault: Fault): Promise<void>;
  clearFaults(): Promise<void>;
  /** Kills the process of the function that makes this call for the nth time, before or after it hears the answer. */
  killAfter(
    functionName: string,
    operation: string,
    times: number,
    service: string,
    answer?: 'lost' | 'sent',
  ): Promise<void>;
  putEvent(event: object): Promise<void>;
  /** Of an instance: its next state does not come, however hard it is asked to stop. */
  stick(id: string): Promise<void>;
  calls(): Promise<readonly Ec2Call[]>;
  attachments(): Promise<readonly AttachmentChange[]>;
  events(): Promise<readonly EventRecord[]>;
  invocations(): Promise<readonly Invocation[]>;
  messages(): Promise<readonly SnsMessage[]>;
  /** What a document does in the guest is asked of this URL. */
  addDocument(document: { name: string; url: string; parameters: readonly string[] }): Promise<void>;
  commands(): Promise<readonly SsmCommand[]>;
  configureSsm(times: { visibleAfterMs: number; deliveryMs: number }): Promise<void>;
  /** A port of this machine that stands for a port of the interface's address. */
  listen(eni: string, port: number): Promise<Target>;
  /** What listens on the instance's port. */
  setProcess(instanceId: string, port: number, target: Target): Promise<void>;
}

export function makeSandboxControl(url: string, signal?: AbortSignal): SandboxControl {
  async function request<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await fetch(new URL(`/_sandbox/${path}`, url), {
      method,
      ...(body && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the sandbox refused ${method} /_sandbox/${path}: ${text}`);
    return JSON.parse(text) as T;
  }
  const get = <T>(path: string) => request<T>('GET', path);
  const post = async (path: string, body: object): Promise<void> => {
    await request('POST', path, body);
  };

  return {
    impair: (instanceId, check) => post('ec2/impair', { instanceId, check }),
    configure: (settings) => post('ec2/configure', settings),
    addFault: (fault) => post('faults', fault),
    async clearFaults() {
      await request('DELETE', 'faults');
    },
    killAfter: (functionName, operation, times, service, answer = 'lost') =>
      post('lambda/kill', { function: functionName, when: { after: { service, operation, times, answer } } }),
    putEvent: (event) => post('events', event),
    stick: (id) => post('ec2/stick', { id }),
    calls: () => get('ec2/calls'),
    attachments: () => get('ec2/attachments'),
    events: () => get('events'),
    invocations: () => get('lambda/invocations'),
    messages: () => get('sns/messages'),
    addDocument: (document) => post('ssm/documents', document),
    commands: () => get('ssm/commands'),
    configureSsm: (times) => post('ssm/configure', times),
    listen: (eni, port) => request<Target>('POST', 'data-plane/listen', { eni, port }),
    setProcess: (instanceId, port, target) => post('data-plane/process', { instanceId, port, target }),
  };
}
