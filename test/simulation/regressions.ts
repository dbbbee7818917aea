/** Plans that once broke an invariant, each under the name of its story: they stay so that it cannot come back. */
import type { PlannedFault, Story } from './exhaustive.ts';
import type { Happening } from './happenings.ts';
import type { ServicePlan, WorldPlan } from './world.ts';

interface WalkStory {
  readonly kind: 'walk';
  readonly story: Story;
  readonly faults: readonly PlannedFault[];
}
/** Twenty minutes of one world, with these happenings and no others. */
interface WorldStory {
  readonly kind: 'world';
  readonly world: WorldPlan;
  readonly skewMs?: number;
  readonly happenings: readonly Happening[];
}

const minute = 60_000;

/** One service on three instances, holder first; the fourth instance is nobody's. */
const plain = (seed: number, service: Partial<ServicePlan> = {}): WorldPlan => ({
  seed,
  zones: ['a', 'a', 'a', 'a'],
  services: [{ name: 'orders', indexes: [1, 2], members: [0, 1, 2], ...service }],
  steady: false,
  sweeps: true,
});

export const regressions: Readonly<Record<string, WalkStory | WorldStory>> = {
  'a hook that cannot be undone does not keep the others from it': {
    kind: 'walk',
    story: { failure: 'back', interfaces: 1 },
    faults: [{ at: 29, kind: 'denied' }],
  },
  'nobody is prepared for an interface that is on its way': {
    kind: 'world',
    world: {
      ...plain(1, { around: { before: [{ on: 'target', deadline: '20s', tookMs: 500 }] } }),
      steady: true,
    },
    skewMs: 0,
    happenings: [
      { atMs: 10_000, kind: 'impair', instance: 0, check: 'system' },
      { atMs: 10_000, kind: 'call', trigger: 'attach', skip: 0, times: 1, injury: { kind: 'refused' } },
      { atMs: 10_000, kind: 'call', trigger: 'attach', skip: 9, times: 1, injury: { kind: 'crash-before' } },
    ],
  },
  'a source is not stopped a second time, in another way, without a lease': {
    kind: 'world',
    world: {
      ...plain(1),
      services: [1, 2].map((index) => ({
        name: `orders-${index}`,
        indexes: [index],
        members: [0, 1, 2],
        policy: { fence: 'stop' },
      })),
    },
    skewMs: 0,
    happenings: [
      { atMs: 10_000, kind: 'impair', instance: 0, check: 'system' },
      { atMs: 10_000, kind: 'call', trigger: 'fence', skip: 0, times: 1, injury: { kind: 'refused' } },
      {
        atMs: 10_000,
        kind: 'call',
        trigger: 'fence',
        skip: 1,
        times: 1,
        injury: { kind: 'freeze', ms: 12_000 },
      },
    ],
  },
  'an end that a queued renewal carried to the table is not closed a second time': {
    kind: 'walk',
    story: { failure: 'impaired', interfaces: 1 },
    faults: [{ at: 29, kind: 'denied' }],
  },
  'a request is answered although a person has detached an interface': {
    kind: 'world',
    world: plain(1),
    happenings: [
      { atMs: 2 * minute, kind: 'person-detaches', service: 0, eni: 0 },
      { atMs: 4 * minute, kind: 'switchover', service: 0, member: 1 },
    ],
  },
  'a request is answered although an interface was deleted': {
    kind: 'world',
    world: plain(1),
    happenings: [
      { atMs: minute, kind: 'person-deletes', service: 0, eni: 0 },
      { atMs: 8 * minute, kind: 'switchover', service: 0, member: 1 },
    ],
  },
  'what a person attaches again to the same holder is in the trail': {
    kind: 'world',
    world: plain(2),
    happenings: [{ atMs: 2 * minute - 8_000, kind: 'person-moves', service: 0, eni: 0, instance: 0 }],
  },
  'a person moving the rest while one interface is on nothing is in the trail': {
    kind: 'world',
    world: plain(3),
    happenings: [
      { atMs: 2 * minute, kind: 'person-detaches', service: 0, eni: 0 },
      { atMs: 5 * minute, kind: 'person-moves', service: 0, eni: 1, instance: 2 },
    ],
  },
  'what a person attaches while a rescue is refused is in the trail': {
    kind: 'world',
    world: plain(7, { members: [0, 1], policy: { mode: 'observe' } }),
    happenings: [
      { atMs: 30_000, kind: 'terminate', instance: 0 },
      { atMs: 5 * minute, kind: 'person-moves', service: 0, eni: 1, instance: 1 },
    ],
  },
  'what our own attach has made is not detached before the table names it': {
    kind: 'world',
    world: {
      seed: 9505,
      steady: false,
      sweeps: true,
      zones: ['a', 'a', 'a', 'a', 'a', 'a'],
      services: [
        {
          name: 'service-0',
          indexes: [4],
          members: [2, 5, 3, 0],
          alarm: 'free',
          ready: true,
          policy: { budgetPerHour: 10 },
        },
      ],
    },
    skewMs: 0,
    happenings: [
      { atMs: 4_636, kind: 'pause', service: 0, forMs: 370_353, resumes: false },
      { atMs: 35_945, kind: 'app-alarm', service: 0, forMs: 506_118 },
      {
        atMs: 117_268,
        kind: 'outage-at-step',
        trigger: 'detach',
        of: 'dynamodb',
        injury: { kind: 'timeout-applied' },
        forMs: 12_000,
      },
      { atMs: 433_173, kind: 'person-detaches', service: 0, eni: 0 },
    ],
  },
  'a rescue that a refused detach stops is not paged again every minute': {
    kind: 'world',
    world: plain(4, { indexes: [1, 2, 3], alarm: 'free', policy: { plainDetach: '1s' } }),
    happenings: [
      { atMs: 10_000, kind: 'app-alarm', service: 0, forMs: 12 * minute },
      { atMs: 10_000, kind: 'call', trigger: 'claim', skip: 0, times: 40, injury: { kind: 'refused' } },
    ],
  },
  'a stale look after a refused attach does not bring an attachment back that was seen to end': {
    kind: 'world',
    world: plain(6, { indexes: [1, 2, 3], members: [0, 1] }),
    skewMs: 0,
    happenings: [
      { atMs: 10_000, kind: 'impair', instance: 0, check: 'system', forMs: 2 * minute },
      { atMs: 10_000, kind: 'call', trigger: 'attach', skip: 1, times: 1, injury: { kind: 'refused' } },
      {
        atMs: 10_000,
        kind: 'call',
        trigger: 'attach',
        skip: 6,
        times: 3,
        injury: { kind: 'stale', ms: 4_500 },
      },
    ],
  },
  'a stale look at the end does not make a live attachment an ended one': {
    kind: 'world',
    world: {
      seed: 5402,
      zones: ['a', 'a', 'a', 'b', 'a', 'b', 'a', 'b'],
      services: [
        {
          name: 'service-0',
          indexes: [9, 2],
          members: [6, 0, 4],
          ready: false,
          policy: { confirm: '1m', budgetPerHour: 3 },
        },
        {
          name: 'service-1',
          indexes: [12, 5, 11],
          members: [4, 6, 1, 0],
          ready: true,
          policy: { budgetPerHour: 3 },
        },
        {
          name: 'service-2',
          indexes: [2],
          members: [0, 4, 2, 1],
          ready: false,
          policy: { budgetPerHour: 1 },
        },
        {
          name: 'service-3',
          indexes: [10],
          members: [6, 0],
          ready: false,
          policy: { quarantine: 'until-healthy', quarantineFor: '2m', confirm: '1m', budgetPerHour: 3 },
        },
        {
          name: 'service-4',
          indexes: [3],
          members: [6, 2, 1, 4],
          ready: false,
          policy: { mode: 'observe', confirm: '1m', budgetPerHour: 3 },
        },
        {
          name: 'service-5',
          indexes: [7],
          members: [1, 4, 0],
          alarm: 'bound',
          ready: false,
          policy: { budgetPerHour: 1 },
        },
        {
          name: 'service-6',
          indexes: [6, 5],
          members: [0, 1, 2],
          ready: false,
          policy: { budgetPerHour: 10 },
        },
      ],
      steady: false,
      sweeps: true,
    },
    happenings: [
      { atMs: 584977, kind: 'impair', instance: 0, check: 'system', forMs: 276456 },
      {
        atMs: 584977,
        kind: 'call',
        trigger: 'claim',
        skip: 0,
        times: 2,
        injury: { kind: 'applied-late', ms: 9000 },
      },
      { atMs: 584977, kind: 'call', trigger: 'attach', skip: 7, times: 4, injury: { kind: 'refused' } },
      {
        atMs: 584977,
        kind: 'call',
        trigger: 'attach',
        skip: 8,
        times: 4,
        injury: { kind: 'stale', ms: 4128 },
      },
    ],
  },
  'a detach from a member that took a part is not waited for without end': {
    kind: 'world',
    world: {
      seed: 4619,
      zones: ['a', 'a', 'a', 'a', 'a', 'a', 'b', 'a', 'b'],
      services: [
        {
          name: 'service-0',
          indexes: [7, 5],
          members: [1, 0, 2, 3],
          alarm: 'bound',
          ready: true,
          around: {
            before: [
              { on: 'target', deadline: '5s', onFailure: 'proceed', tookMs: 1000 },
              {
                on: 'source',
                deadline: '5s',
                onFailure: 'proceed',
                tookMs: 4000,
                undo: 'function',
                pends: true,
              },
            ],
            after: [],
            serving: { by: 'alarm', within: '20s' },
          },
          policy: {
            fence: 'stop',
            fenceTimeout: '30s',
            onFenceTimeout: 'page',
            confirm: '1m',
            budgetPerHour: 3,
            failback: { after: '10m' },
          },
        },
        {
          name: 'service-1',
          indexes: [7, 11],
          members: [7, 4, 3],
          alarm: 'bound',
          ready: false,
          policy: {
            quarantine: 'until-healthy',
            quarantineFor: '2m',
            budgetPerHour: 3,
            failback: { after: '10m' },
          },
        },
      ],
      steady: false,
      sweeps: true,
    },
    skewMs: 500,
    happenings: [
      { atMs: 677566, kind: 'call', trigger: 'claim', skip: 12, times: 4, injury: { kind: 'throttled' } },
      {
        atMs: 677566,
        kind: 'call',
        trigger: 'fence',
        skip: 11,
        times: 4,
        injury: { kind: 'timeout-applied' },
      },
      { atMs: 677566, kind: 'call', trigger: 'hook', skip: 2, times: 1, injury: { kind: 'crash-after' } },
      { atMs: 692957, kind: 'app-alarm', service: 0, forMs: 22699 },
      {
        atMs: 692957,
        kind: 'call',
        trigger: 'fence',
        skip: 7,
        times: 5,
        injury: { kind: 'applied-late', ms: 25000 },
      },
      { atMs: 692957, kind: 'call', trigger: 'attach', skip: 6, times: 1, injury: { kind: 'refused' } },
      { atMs: 692957, kind: 'target-dies', trigger: 'attach', skip: 4, how: 'impaired' },
      { atMs: 719874, kind: 'ask', service: 1, member: 2 },
    ],
  },
};
