/** DescribeInstanceStatus: the status checks of running instances, or of all of them. */
import type {
  DescribeInstanceStatusRequest,
  DescribeInstanceStatusResult,
  InstanceStatus,
  InstanceStatusSummary,
} from '@aws-sdk/client-ec2';
import { checkStatus, reachability, stateCodes } from './checks.ts';
import { invalidValue } from './errors.ts';
import { type Attributes, matcher } from './filters.ts';
import { requireAll } from './ids.ts';
import { operation } from './operation.ts';
import { pageOf, refusePagedIds } from './pages.ts';
import type { Check, InstanceRecord } from './records.ts';
import type { World } from './world.ts';

const maxIds = 100;

function summary(instance: InstanceRecord, check: Check): InstanceStatusSummary {
  const status = checkStatus(instance, check);
  if (status === 'not-applicable') return { Status: status };
  const sinceMs = instance.impairments[check]?.sinceMs ?? instance.rebootingSinceMs;
  const since = status === 'impaired' && sinceMs !== undefined ? { ImpairedSince: new Date(sinceMs) } : {};
  return { Status: status, Details: [{ Name: 'reachability', Status: reachability[status], ...since }] };
}

const toStatus = (instance: InstanceRecord): InstanceStatus => ({
  AvailabilityZone: instance.availabilityZone,
  Events: [],
  InstanceId: instance.id,
  InstanceState: { Code: stateCodes[instance.state], Name: instance.state },
  InstanceStatus: summary(instance, 'instance'),
  SystemStatus: summary(instance, 'system'),
  AttachedEbsStatus: summary(instance, 'ebs'),
});

/** There is no `instance-id` filter here, in EC2 neither. */
const attributes: Attributes<InstanceRecord> = {
  'availability-zone': (instance) => instance.availabilityZone,
  'instance-state-code': (instance) => stateCodes[instance.state],
  'instance-state-name': (instance) => instance.state,
  'instance-status.reachability': (instance) => reachability[checkStatus(instance, 'instance')],
  'instance-status.status': (instance) => checkStatus(instance, 'instance'),
  'system-status.reachability': (instance) => reachability[checkStatus(instance, 'system')],
  'system-status.status': (instance) => checkStatus(instance, 'system'),
  'attached-ebs-status.status': (instance) => checkStatus(instance, 'ebs'),
};

export const instanceStatusOperations = (world: World) => ({
  DescribeInstanceStatus: operation<DescribeInstanceStatusRequest, DescribeInstanceStatusResult>()({
    accepts: ['InstanceIds', 'IncludeAllInstances', 'Filters', 'MaxResults', 'NextToken'],
    run({ InstanceIds: ids = [], IncludeAllInstances: all = false, Filters, ...page }) {
      refusePagedIds('instancesSet', ids, page);
      if (ids.length > maxIds) {
        throw invalidValue(`You may not specify more than ${maxIds} instance IDs; ${ids.length} were given`);
      }
      const view = world.view();
      const matches = matcher(Filters, attributes);
      const named = ids.length > 0 ? requireAll('i', ids, view.instances.get) : [...view.instances.values()];
      const chosen = named.filter((instance) => (all || instance.state === 'running') && matches(instance));
      const { items, ...next } = pageOf(chosen, ({ seq }) => seq, page);
      return { InstanceStatuses: items.map(toStatus), ...next };
    },
  }),
});
