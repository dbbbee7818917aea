/** Every duration of the protocol, in one place (docs/protocol.md, Times). All values are milliseconds. */
const second = 1_000;
const minute = 60 * second;

export const times = {
  /** A lease is longer than the longest call plus two missed renewals. */
  leaseTtlMs: 15 * second,
  renewEveryMs: 5 * second,
  /** Two clocks of AWS hosts may differ by this much; a takeover waits it out. */
  skewMarginMs: 1 * second,

  ec2TimeoutMs: 3 * second,
  tableTimeoutMs: 1 * second,
  messageTimeoutMs: 1 * second,

  pollTimeoutMs: 1 * second,
  /** How long an observation waits for the limits of a type that is not cached: that member can do without. */
  limitsTimeoutMs: 500,
  pollFirstMs: 250,
  /** For so long after the last progress the poll does not grow, unless EC2 is slow (docs/adr/0013). */
  pollSteadyMs: 6 * second,
  pollGrowth: 1.5,
  pollMaxMs: 2 * second,

  /** The longest that a hook's function may take to answer: what an invocation has, less the hand-over. */
  hookTimeoutMs: 50 * second,
  /** Between two looks at a fence or a hook that is not done yet. */
  stagePollMs: 500,
  /** For so long who resumes a fence or a hook looks at it, though its deadline be over. */
  lookAgainMs: 5 * second,
  /** A function is not called as a hook in an invocation that has less time left for it (or less than its deadline). */
  functionNeedsMs: 30 * second,

  /** How long a detach or attach that EC2 accepted is given before the same call is sent again. */
  resendAfterMs: 5 * second,
  /** A source that is well and was asked to let go has buffers to flush: it is not hurried as one that an alarm accuses. */
  forcedMoveAfterMs: 30 * second,
  detachDeadlineMs: 5 * minute,
  lastTryMs: 30 * second,
  attachLimitMs: 20 * second,

  maxEventAgeMs: 5 * minute,
  requestTtlMs: 5 * minute,
  /** P8: how old an observation may be at the claim, and how old while EC2 is slow. */
  observationFreshMs: 2 * second,
  observationFreshWhenSlowMs: 10 * second,
  /** P11: the pause before a surprising observation is believed. */
  surpriseLookMs: 5 * second,
  /** P35: the looks after an alarm that EC2 does not confirm. */
  secondLooksMs: [10 * second, 20 * second, 40 * second],
  /** P33: an application needs this long after a move before its alarm counts again. */
  graceAfterMoveMs: 2 * minute,
  /** S6: an effect of ours that comes late comes within the lease, two sweeps and EC2's own time. */
  lateEffectMs: 10 * minute,
  /** How long a member that refused an attach is not asked again. */
  refusedQuarantineMs: 10 * minute,
  /** For so long the preferred member must have been eligible without a break before anybody may fail back to it. */
  failbackAfterMs: 10 * minute,
  /** A failure of the preferred member so soon after an automatic failback to it suspends the next one. */
  failbackProvenMs: 60 * minute,
  /** A notice younger than this is still being sent by whoever wrote it. */
  noticeIsTheirsMs: 3 * second,
  budgetWindowMs: 60 * minute,
  brakeWindowMs: 5 * minute,
  brakeAtLeast: 5,
  handOverBeforeDeadlineMs: 10 * second,
} as const;
