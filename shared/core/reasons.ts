/** Every reason not to act, what it means and what ends it. A refusal without one does not type-check. */

interface Reason {
  /** One sentence for a tired person. */
  readonly meaning: string;
  /** What makes the controller act again. */
  readonly wayOut: string;
}

const reason = (meaning: string, wayOut: string): Reason => ({ meaning, wayOut });

/** Why a service was left alone. */
export const reasons = {
  PAUSED: reason('The service is paused.', 'resume it'),
  CONTROLLER_PAUSED: reason('The whole controller is paused.', 'resume the controller'),
  BRAKE: reason(
    'So many services of this Availability Zone failed at once that the monitoring is under suspicion.',
    'look at the zone, then acknowledge the brake',
  ),
  BUDGET_SPENT: reason(
    'The service was failed over as often as its budget allows in an hour.',
    'find out why it keeps failing; acknowledge the budget',
  ),
  LEASE_HELD: reason('Another worker is acting on this service now.', 'wait some seconds'),
  STALE_EVENT: reason('The event is older than five minutes.', 'nothing: a new event or the sweep will tell'),
  SUPPRESSED: reason("The alarm's actions are suppressed or muted.", 'end the suppression'),
  NOT_CONFIRMED: reason(
    'An alarm says failed, EC2 says healthy.',
    'nothing if the alarm was wrong; otherwise declare the alarm as a signal of the service',
  ),
  WITHIN_CONFIRM: reason(
    "A status check of the holder is impaired, but no alarm says so and it is younger than the service's confirm time.",
    'nothing: it counts once it has lasted that long',
  ),
  UNKNOWN_HEALTH: reason('EC2 does not say how the holder is.', 'nothing: looked at again'),
  UNKNOWN_STATE: reason('EC2 or CloudWatch could not be read completely.', 'nothing: looked at again'),
  HOLDER_HEALTHY: reason('The holder is healthy.', 'nothing to do'),
  NOT_HOLDER: reason('The instance that failed does not hold the interfaces.', 'nothing to do'),
  SIGNAL_NOT_DECLARED: reason(
    'The holder has failed, but the service does not declare this kind of signal.',
    'declare signals.statusChecks or signals.stateChanges',
  ),
  NO_ELIGIBLE_STANDBY: reason(
    'No standby may take the interfaces.',
    "end one standby's own reason, listed beside it",
  ),
  OBSERVE_ONLY: reason('The service is in mode observe: it would have been moved.', 'set policy.mode to act'),
  GRACE_PERIOD: reason(
    "A declared alarm was already red before the last move, or turned red within the application's grace period.",
    'look at the application: moving again would not help',
  ),
  SPLIT: reason(
    'The interfaces are attached to different instances.',
    'attach them all to one member by hand',
  ),
  DETACHED_BY_OTHERS: reason(
    'An interface was detached from a healthy holder by somebody else.',
    'attach it again by hand',
  ),
  MOVED_BY_OTHERS: reason(
    'The interfaces are not where the controller left them: somebody else moved them.',
    'nothing if that was meant; otherwise move them back',
  ),
  REATTACHED_BY_OTHERS: reason(
    'An interface was detached and attached to its holder again by somebody else.',
    'nothing, if that was meant',
  ),
  UNMOVABLE_INTERFACE: reason(
    'An interface is gone, primary, or managed by an AWS service: EC2 will not move it.',
    'register the service with interfaces that can be moved',
  ),
  NO_SUCH_SERVICE: reason('No such service is registered.', 'register it'),
  NOT_TAGGED: reason(
    'An interface or its holder lacks the tag that lets the controller act on it.',
    'tag it eni-failover=managed',
  ),
  ANNOUNCED: reason('AWS announces that an instance of the service will be lost.', 'move it while it lives'),
  NO_MEMBERS: reason('The service has no members.', 'register it with members'),
  MALFORMED_STATE: reason(
    "The service's item cannot be understood.",
    'restore the item from a point in time, or correct it by hand',
  ),
  PERMISSION_DENIED: reason('EC2 refused the call for lack of permission.', 'check the role and the tags'),
  STRANDED: reason(
    'An interface is attached to nothing and nothing would take it.',
    'make a member eligible: every look tries again',
  ),
  FENCE_FAILED: reason(
    'The source could not be seen stopped, so nothing was detached from it.',
    'stop the instance by hand, or declare policy.onFenceTimeout: proceed',
  ),
  HOOK_FAILED: reason(
    'A hook of the service failed or did not end in time.',
    'see what it printed, and put it right by hand',
  ),
  NOT_SERVING: reason(
    'The interfaces are attached, but the service does not answer.',
    'look at the application on the new holder',
  ),
  REQUEST_EXPIRED: reason("An operator's request was not carried out in time.", 'ask again'),
  REQUEST_REFUSED: reason("An operator's request cannot be carried out.", 'see the detail'),
} as const satisfies Record<string, Reason>;
export type ReasonCode = keyof typeof reasons;

/** Why an operator's command was refused, where it is not for one of the reasons above. */
export const commandReasons = {
  NOT_PAUSED: reason('It is not paused.', 'nothing to do'),
  TOO_LONG: reason(
    'A pause lasts at most seven days: one that is forgotten is an outage in waiting.',
    'pause for less, and again then',
  ),
  NOT_QUARANTINED: reason('That member is not quarantined.', 'nothing to do'),
  NOTHING_TO_ACKNOWLEDGE: reason('Nothing of the service waits for a person.', 'nothing to do'),
  NO_BRAKE: reason('The brake of that zone is not on.', 'nothing to do'),
  EPISODE_OPEN: reason('An episode of the service is under way.', 'ask again when it has ended'),
  REQUEST_WAITS: reason(
    "Another operator's request waits already.",
    'ask again when it has been carried out or has expired',
  ),
  NOT_A_MEMBER: reason('The instance is not a member of the service.', 'name a member, or replace one by it'),
  ALREADY_HOLDER: reason('That member has the interfaces already.', 'nothing to do'),
  NOT_ELIGIBLE: reason(
    'That member may not take the interfaces now.',
    "end the member's own reasons, listed beside it",
  ),
  NOT_LONG_ENOUGH: reason(
    'The preferred member has not been healthy and ready for long enough to fail back to it.',
    'wait, or ask for a switchover to it',
  ),
  HOLDER_FAILED: reason(
    'The holder has failed: a failover comes before what was asked for.',
    'wait for the failover',
  ),
  LATE_EFFECTS: reason(
    'A detach of an earlier episode may still take effect, and nobody else would repair that.',
    'ask again in ten minutes',
  ),
  NOT_TOGETHER: reason(
    'The interfaces do not rest together on one instance.',
    'attach them all to one member by hand',
  ),
  SAME_MODE: reason('The service is in that mode already.', 'nothing to do'),
  IS_HOLDER: reason('That member has the interfaces.', 'move them to another member first: switchover'),
  ALREADY_A_MEMBER: reason('That instance is a member of the service already.', 'nothing to do'),
  OWNED_BY_OTHERS: reason(
    'Another source registered the service, and would undo the change.',
    'change it there, or take it over',
  ),
  ITEM_TOO_LARGE: reason(
    "The service's item would grow beyond 200 KB: what is left belongs to its episodes.",
    'mend the topic where notices wait; declare less',
  ),
  NO_SUCH_EPISODE: reason('The trail has no such episode.', 'name it as `history` shows it'),
  NOT_A_DRILL: reason(
    'These two episodes are no move there and back that a person asked for.',
    'name two switchovers, one right after the other: `drill --move` makes them',
  ),
  REJECTED: reason(
    'The declaration does not hold against what EC2 says.',
    'see the problems; nothing was stored',
  ),
} as const satisfies Record<string, Reason>;
export type CommandReasonCode = keyof typeof commandReasons;

/** Why one member may not take the interfaces. */
export const memberReasons = {
  NO_SUCH_MEMBER: reason('The instance no longer exists.', 'replace the member in the declaration'),
  NOT_RUNNING: reason('The instance is not running.', 'start it'),
  CHECKS_FAILED: reason('A status check of the instance is impaired.', 'repair or replace it'),
  UNKNOWN_HEALTH: reason('EC2 does not say yet how the instance is.', 'wait for its status checks'),
  WRONG_AZ: reason(
    'The instance is in another Availability Zone than the interface.',
    'declare one beside it',
  ),
  INDEX_TAKEN: reason('Another interface sits at the device index.', 'free it, or declare another index'),
  LIMIT_REACHED: reason('The instance type carries no more.', 'take a larger type'),
  QUARANTINED: reason('The member failed before and has not been cleared.', 'acknowledge it'),
  NOT_READY: reason('A readyWhen alarm is not OK.', 'wait until the member has caught up'),
  NOT_TAGGED: reason('The instance lacks the tag that lets the controller act on it.', 'tag it'),
} as const satisfies Record<string, Reason>;
export type MemberReasonCode = keyof typeof memberReasons;

export interface MemberRefusal {
  readonly member: string;
  readonly code: MemberReasonCode;
  readonly detail: string;
}

export const describeMember = (refusal: MemberRefusal) =>
  `${refusal.member}: ${refusal.code} (${refusal.detail})`;

/** What makes two refusals the same one: recorded once, until it changes (P24). */
export const refusalKey = (code: string, members: readonly MemberRefusal[], request?: string) =>
  [code, ...(request ? [request] : []), ...members.map((each) => `${each.member} ${each.code}`)].join('; ');
