/** The state of one account in one Region. Every change of an instance or interface passes here and is told to listeners. */
import type { SandboxClock } from '../clock.ts';
import { checkStatus } from './checks.ts';
import { drawMs, type LatencyProfile, type RangeMs } from './latency.ts';
import {
  type AddressRecord,
  type AttachmentStatus,
  type Check,
  type CheckStatus,
  checks,
  type EniRecord,
  type GroupRecord,
  type InstanceRecord,
  type InstanceState,
  type SubnetRecord,
  type VpcRecord,
} from './records.ts';
import { makeStore, type Reader, type Store } from './store.ts';

export type Ec2Event =
  | {
      readonly kind: 'instance-state';
      readonly instanceId: string;
      readonly state: InstanceState;
      readonly atMs: number;
    }
  | {
      readonly kind: 'status-check';
      readonly instanceId: string;
      readonly check: Check;
      readonly status: CheckStatus;
      readonly atMs: number;
    }
  | {
      readonly kind: 'attachment';
      readonly eniId: string;
      readonly attachmentId: string;
      readonly instanceId: string;
      readonly status: AttachmentStatus | 'detached';
      readonly atMs: number;
    };

export type Ec2Listener = (event: Ec2Event) => void;

export interface Settings {
  latency: LatencyProfile;
  /** How old an answer to a Describe may be; 0 is never. */
  consistencyLagMs: number;
  throttle: boolean;
}

interface Tables {
  readonly vpcs: Store<VpcRecord>;
  readonly subnets: Store<SubnetRecord>;
  readonly groups: Store<GroupRecord>;
  readonly addresses: Store<AddressRecord>;
  readonly enis: Store<EniRecord>;
  readonly instances: Store<InstanceRecord>;
}

/** What one Describe gets to see: all of it as of the same moment. */
export type View = {
  readonly [K in keyof Tables]: Tables[K] extends Store<infer T> ? Reader<T> : never;
};

export interface World extends Tables {
  readonly accountId: string;
  readonly region: string;
  readonly zones: readonly string[];
  readonly settings: Settings;
  readonly random: () => number;
  /** Addresses in use, by subnet. */
  readonly takenAddresses: Map<string, Set<string>>;
  /** Interfaces and instances whose transitions do not finish by themselves. */
  readonly stuck: Set<string>;
  /** Answers that a repeated client token gets again. */
  readonly answersByToken: Map<string, { readonly asked: string; readonly answer: object }>;
  nowMs(): number;
  view(): View;
  nextSeq(): number;
  /** A new id of this kind, unique whatever the random source does. */
  newId(prefix: string, seq: number): string;
  hex(digits: number): string;
  eniOfAttachment(attachmentId: string): EniRecord | undefined;
  putInstance(record: InstanceRecord): void;
  putEni(record: EniRecord): void;
  deleteEni(id: string): void;
  /** Runs after a time drawn from `range`, unless the world is reset before. */
  later(range: RangeMs, run: () => void): void;
  onEvent(listener: Ec2Listener): () => void;
  reset(): void;
}

export interface WorldOptions {
  readonly clock: SandboxClock;
  readonly random: () => number;
  readonly settings: Settings;
  readonly accountId: string;
  readonly region: string;
}

export function makeWorld({ clock, random, settings, accountId, region }: WorldOptions): World {
  const nowMs = () => clock.now();
  const keepMs = () => settings.consistencyLagMs;
  const tables: Tables = {
    vpcs: makeStore(nowMs, keepMs),
    subnets: makeStore(nowMs, keepMs),
    groups: makeStore(nowMs, keepMs),
    addresses: makeStore(nowMs, keepMs),
    enis: makeStore(nowMs, keepMs),
    instances: makeStore(nowMs, keepMs),
  };
  const eniIdByAttachment = new Map<string, string>();
  const timers = new Set<() => void>();
  const listeners = new Set<Ec2Listener>();
  let seq = 0;

  const emit = (event: Ec2Event) => {
    for (const listener of listeners) listener(event);
  };

  function attachmentChanged(before: EniRecord | undefined, after: EniRecord | undefined) {
    const was = before?.attachment;
    const is = after?.attachment;
    const tell = (eni: EniRecord, attachment: typeof was & object, status: AttachmentStatus | 'detached') =>
      emit({
        kind: 'attachment',
        eniId: eni.id,
        attachmentId: attachment.id,
        instanceId: attachment.instanceId,
        status,
        atMs: nowMs(),
      });
    if (before !== undefined && was !== undefined && was.id !== is?.id) {
      eniIdByAttachment.delete(was.id);
      tell(before, was, 'detached');
    }
    if (after !== undefined && is !== undefined && (was?.id !== is.id || was.status !== is.status)) {
      eniIdByAttachment.set(is.id, after.id);
      tell(after, is, is.status);
    }
  }

  const world: World = {
    ...tables,
    accountId,
    region,
    zones: ['a', 'b', 'c'].map((letter) => region + letter),
    settings,
    random,
    takenAddresses: new Map(),
    stuck: new Set(),
    answersByToken: new Map(),
    nowMs,

    view() {
      if (settings.consistencyLagMs === 0) return tables;
      const atMs = nowMs() - random() * settings.consistencyLagMs;
      return {
        vpcs: tables.vpcs.asOf(atMs),
        subnets: tables.subnets.asOf(atMs),
        groups: tables.groups.asOf(atMs),
        addresses: tables.addresses.asOf(atMs),
        enis: tables.enis.asOf(atMs),
        instances: tables.instances.asOf(atMs),
      };
    },

    nextSeq() {
      seq += 1;
      return seq;
    },
    newId: (prefix, number) => `${prefix}-${world.hex(11)}${number.toString(16).padStart(6, '0')}`,
    hex: (digits) =>
      Math.floor(random() * 16 ** digits)
        .toString(16)
        .padStart(digits, '0'),

    eniOfAttachment(attachmentId) {
      const eniId = eniIdByAttachment.get(attachmentId);
      return eniId === undefined ? undefined : tables.enis.get(eniId);
    },

    putInstance(record) {
      const before = tables.instances.get(record.id);
      tables.instances.put(record);
      if (listeners.size === 0) return;
      const about = { instanceId: record.id, atMs: nowMs() };
      if (before?.state !== record.state) emit({ kind: 'instance-state', ...about, state: record.state });
      for (const check of checks) {
        const status = checkStatus(record, check);
        const was = before === undefined ? 'not-applicable' : checkStatus(before, check);
        if (was !== status) emit({ kind: 'status-check', ...about, check, status });
      }
    },

    putEni(record) {
      const before = tables.enis.get(record.id);
      tables.enis.put(record);
      attachmentChanged(before, record);
    },

    deleteEni(id) {
      const before = tables.enis.get(id);
      tables.enis.delete(id);
      attachmentChanged(before, undefined);
    },

    later(range, run) {
      const cancel = clock.after(drawMs(range, random), () => {
        timers.delete(cancel);
        run();
      });
      timers.add(cancel);
    },

    onEvent(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    reset() {
      for (const cancel of timers) cancel();
      timers.clear();
      for (const table of Object.values(tables)) table.clear();
      for (const index of [eniIdByAttachment, world.takenAddresses, world.stuck, world.answersByToken]) {
        index.clear();
      }
    },
  };
  return world;
}
