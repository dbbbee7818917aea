// Kills a function's process at a chosen AWS call, right after the call's effect: the crash that every retry must survive.

import type { AwsRequest } from './aws-request.ts';
import { friendlyServiceName } from './aws-request.ts';

export interface KillTrigger {
  functionName: string;
  service: string;
  operation: string;
  /** Which such call of the function it is, counted from now. */
  times: number;
  /** Whether the process is sent the answer before it dies. */
  answer: 'lost' | 'sent';
}

export interface KillTriggers {
  add(trigger: KillTrigger): void;
  clear(): void;
  list(): KillTrigger[];
  /** Counts the call; answers the trigger that it fulfils. */
  match(functionName: string, request: AwsRequest): KillTrigger | undefined;
}

export function makeKillTriggers(): KillTriggers {
  let triggers: KillTrigger[] = [];
  return {
    add: (trigger) => {
      triggers.push({ ...trigger });
    },
    clear: () => {
      triggers = [];
    },
    list: () => triggers.map((trigger) => ({ ...trigger })),
    match: (functionName, request) => {
      const trigger = triggers.find(
        (candidate) =>
          candidate.functionName === functionName &&
          candidate.service === friendlyServiceName(request.service) &&
          candidate.operation === request.operation,
      );
      if (trigger === undefined) return undefined;
      trigger.times -= 1;
      if (trigger.times > 0) return undefined;
      triggers = triggers.filter((candidate) => candidate !== trigger);
      return trigger;
    },
  };
}
