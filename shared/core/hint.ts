/** A hint is an event boiled down to "look at this service, because …". Hints never decide. */
import type { AlarmArn, InstanceId, ServiceName } from './ids.ts';

/** EC2 reported that an instance left `running`. */
export interface StateChangeHint {
  readonly kind: 'state-change';
  readonly instanceId: InstanceId;
  readonly state: string;
  readonly atMs: number;
}

/**
 * A CloudWatch alarm went to ALARM. `instanceIds` are those of its AWS/EC2 status-check metrics (empty for
 * composite and custom alarms, which count only where a service declares their ARN).
 */
export interface AlarmHint {
  readonly kind: 'alarm';
  readonly alarmArn: AlarmArn;
  readonly instanceIds: readonly InstanceId[];
  readonly atMs: number;
}

/** AWS announces that an instance will be lost. Nothing has failed yet. */
export interface AnnouncementHint {
  readonly kind: 'announcement';
  readonly what: 'spot-interruption' | 'rebalance' | 'health';
  /** AWS's own word for it: the instance action, or the Health event type code. */
  readonly detail: string;
  readonly instanceIds: readonly InstanceId[];
  readonly atMs: number;
}

/** What an event from outside can become. */
export type EventHint = StateChangeHint | AlarmHint | AnnouncementHint;

/** The sweep saw something; `finding` is for people, the decision looks for itself. */
export interface SweepHint {
  readonly kind: 'sweep';
  readonly finding: string;
  readonly atMs: number;
}

/** An operator's request waits in the service item, or registration wants EC2 changed. */
export interface RequestHint {
  readonly kind: 'request';
  readonly atMs: number;
}

/** A rehearsal that somebody asked for. */
export interface Drill {
  readonly id: string;
  readonly author: string;
  readonly reason: string;
}

/** The hour's rehearsal: may the role still do, to this service's interfaces, what an outage would ask of it? */
export interface CanaryHint {
  readonly kind: 'canary';
  readonly atMs: number;
  /** Asked for by an operator: its result is recorded whatever it is. */
  readonly drill?: Drill;
}

/** The lease of this epoch should have ended by now. */
export interface WatchdogHint {
  readonly kind: 'watchdog';
  readonly epoch: number;
  readonly atMs: number;
}

export type Hint = EventHint | SweepHint | RequestHint | CanaryHint | WatchdogHint;

/** What the work queue carries: one service, why, and which look this is (0 = first). */
export interface WorkMessage {
  readonly service: ServiceName;
  readonly hint: Hint;
  readonly look: number;
}
