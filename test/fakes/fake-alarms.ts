/** CloudWatch alarms as a test sets them. */
import type { Alarms } from '../../shared/app/ports.ts';
import { PortError } from '../../shared/core/errors.ts';
import type { AlarmArn } from '../../shared/core/ids.ts';
import type { AlarmFact } from '../../shared/core/observation.ts';
import type { VirtualClock } from './virtual-clock.ts';

export interface FakeAlarms extends Alarms {
  set(arn: AlarmArn, state: AlarmFact['state'], more?: Partial<Omit<AlarmFact, 'arn' | 'state'>>): void;
  forget(arn: AlarmArn): void;
  /** All of them, without a call. */
  census(): readonly AlarmFact[];
  /** The next calls are not answered. */
  fail(times?: number): void;
}

export const alarmNamed = (name: string) =>
  `arn:aws:cloudwatch:eu-central-1:123456789012:alarm:${name}` as AlarmArn;

export function makeFakeAlarms(clock: VirtualClock): FakeAlarms {
  const alarms = new Map<AlarmArn, AlarmFact>();
  let failures = 0;
  return {
    set: (arn, state, more = {}) => {
      alarms.set(arn, { arn, state, transitionedAtMs: clock.now(), suppressedBy: undefined, ...more });
    },
    forget: (arn) => {
      alarms.delete(arn);
    },
    census: () => [...alarms.values()],
    fail: (times = 1) => {
      failures = times;
    },
    async describe(arns) {
      const sentAtMs = clock.now();
      await clock.sleep(60);
      if (failures > 0) {
        failures -= 1;
        throw new PortError('unavailable', 'ServiceUnavailable', 'CloudWatch does not answer');
      }
      const found = arns.flatMap((arn) => {
        const alarm = alarms.get(arn);
        return alarm ? [[arn, alarm] as const] : [];
      });
      return { value: new Map(found), sentAtMs, slow: false };
    },
  };
}
