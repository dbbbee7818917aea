// The metrics that EC2 publishes of its status checks, and how a threshold is compared with them.

export type StatusCheck = 'system' | 'instance' | 'ebs';

export const CHECKS_OF_METRIC: Record<string, readonly StatusCheck[]> = {
  StatusCheckFailed: ['system', 'instance', 'ebs'],
  StatusCheckFailed_System: ['system'],
  StatusCheckFailed_Instance: ['instance'],
  StatusCheckFailed_AttachedEBS: ['ebs'],
};

export const BREACHES: Record<string, { holds(value: number, threshold: number): boolean; words: string }> = {
  GreaterThanOrEqualToThreshold: { holds: (v, t) => v >= t, words: 'greater than or equal to' },
  GreaterThanThreshold: { holds: (v, t) => v > t, words: 'greater than' },
  LessThanThreshold: { holds: (v, t) => v < t, words: 'less than' },
  LessThanOrEqualToThreshold: { holds: (v, t) => v <= t, words: 'less than or equal to' },
};
