/** What EC2 says of an instance's health, derived from its record. */
import type { Check, CheckStatus, InstanceRecord, InstanceState } from './records.ts';

export const stateCodes: Readonly<Record<InstanceState, number>> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

/** EC2 checks running instances only; the instance check also fails for as long as a reboot takes. */
export function checkStatus(instance: InstanceRecord, check: Check): CheckStatus {
  if (instance.state !== 'running') return 'not-applicable';
  const impairment = instance.impairments[check];
  if (impairment !== undefined) return impairment.status;
  if (check === 'instance' && instance.rebootingSinceMs !== undefined) return 'impaired';
  return instance.boot === 'done' ? 'ok' : instance.boot;
}

/** Whether the guest of an instance that is up neither hears nor answers: its host or its system is gone. */
export function isGuestImpaired({ impairments }: InstanceRecord): boolean {
  return impairments.system?.status === 'impaired' || impairments.instance?.status === 'impaired';
}

export const reachability: Readonly<
  Record<CheckStatus, 'passed' | 'failed' | 'insufficient-data' | 'initializing'>
> = {
  ok: 'passed',
  impaired: 'failed',
  initializing: 'initializing',
  'insufficient-data': 'insufficient-data',
  'not-applicable': 'insufficient-data',
};
