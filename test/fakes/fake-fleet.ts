/** The fleet in pages, over the same EC2 and alarms as the fakes: what is there now, without a call of its own. */
import type { Fleet } from '../../shared/app/ports.ts';
import { PortError } from '../../shared/core/errors.ts';
import type { AlarmArn, InstanceId } from '../../shared/core/ids.ts';
import type { FakeAlarms } from './fake-alarms.ts';
import type { FakeEc2 } from './fake-ec2.ts';
import type { VirtualClock } from './virtual-clock.ts';

export type FleetRead = keyof Fleet;

export interface FakeFleet extends Fleet {
  readonly reads: readonly FleetRead[];
  /** This alarm watches status checks of these instances. */
  watches(arn: AlarmArn, ids: readonly InstanceId[]): void;
  /** From now on these pages are refused, or never answered; `well` again when told. */
  turn(read: FleetRead, how: 'well' | 'refused' | 'silent'): void;
}

const pagesMs = 120;
/** Absent says nothing: that is not one of the checks that EC2 counts as fine. */
const isFine = (status: string) => status === 'ok' || status === 'not-applicable';

export function makeFakeFleet(clock: VirtualClock, ec2: FakeEc2, alarms: FakeAlarms): FakeFleet {
  const reads: FleetRead[] = [];
  const watched = new Map<AlarmArn, readonly InstanceId[]>();
  const moods = new Map<FleetRead, 'well' | 'refused' | 'silent'>();

  async function read<T>(what: FleetRead, answer: () => T): Promise<T> {
    reads.push(what);
    await clock.sleep(pagesMs);
    const mood = moods.get(what);
    if (mood === 'refused')
      throw new PortError('throttled', 'RequestLimitExceeded', 'Request limit exceeded.');
    if (mood === 'silent') return new Promise(() => undefined);
    return answer();
  }

  return {
    reads,
    watches: (arn, ids) => {
      watched.set(arn, ids);
    },
    turn: (what, how) => {
      moods.set(what, how);
    },
    interfaces: () =>
      read('interfaces', () => {
        const tagged = ec2.census().interfaces.filter((each) => each.tagged);
        return new Map(tagged.map((each) => [each.eni, each]));
      }),
    troubled: () =>
      read('troubled', () => {
        const troubled = ec2
          .census()
          .instances.filter(
            ({ state, checks: { system, instance, ebs } }) =>
              state !== 'running' || ![system, instance, ebs].every(isFine),
          );
        return new Set(troubled.map((each) => each.id));
      }),
    redAlarms: () =>
      read('redAlarms', () =>
        alarms
          .census()
          .filter((each) => each.state === 'ALARM')
          .map((each) => ({ ...each, instanceIds: watched.get(each.arn) ?? [] })),
      ),
  };
}
