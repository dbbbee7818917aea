/** Mutants that nobody can tell from the original, each with the reason: they are not hunted. */

export interface Equivalent {
  readonly file: string;
  readonly guard: string;
  readonly instead: string;
  readonly why: string;
}

export const equivalents: readonly Equivalent[] = [
  {
    file: 'shared/app/break-glass.ts',
    guard: "step.do === 'attach'",
    instead: 'true',
    why: 'it tells the type: what is detached, or kept on its way, is attached as well',
  },
  {
    file: 'shared/app/canary.ts',
    guard: "where.kind === 'together'",
    instead: 'true',
    why: 'it tells the type: nothing else has a holder',
  },
  {
    file: 'shared/app/claim.ts',
    guard: 'error instanceof PortError',
    instead: 'true',
    why: 'it tells the type: no other error has mayRetry',
  },
  {
    file: 'shared/app/ending.ts',
    guard: 'plan.source',
    instead: 'true',
    why: 'it tells the type: the health of nobody is unknown as well',
  },
  {
    file: 'shared/app/journal.ts',
    guard: 'next.declared === parsed.declared',
    instead: 'false',
    why: 'a fast path: the same declaration parses to the same',
  },
  {
    file: 'shared/app/looking.ts',
    guard: 'gone',
    instead: 'true',
    why: 'it tells the type: that no attachment has ended says nothing of any',
  },
  {
    file: 'shared/app/observe.ts',
    guard: 'error instanceof PortError',
    instead: 'true',
    why: 'only a PortError has a failure; anything else compares undefined with throttled',
  },
  {
    file: 'shared/app/plan-ahead.ts',
    guard: 'service.pause',
    instead: 'true',
    why: 'it tells the type: who is refused as paused is paused',
  },
  {
    file: 'shared/app/plan-ahead.ts',
    guard: 'controller.pause',
    instead: 'true',
    why: 'it tells the type: who is refused as paused is paused',
  },
  {
    file: 'shared/app/plan-ahead.ts',
    guard: "where.kind === 'together'",
    instead: 'true',
    why: 'it tells the type: where nobody has all of them, no failure of anybody is looked at',
  },
  {
    file: 'shared/app/plan-ahead.ts',
    guard: "'document' in declared",
    instead: 'true',
    why: 'it tells the type: a function runs on neither of the two',
  },
  {
    file: 'shared/app/register.ts',
    guard: '!holder',
    instead: 'false',
    why: 'without a holder there is a problem; only the types need to be told',
  },
  {
    file: 'shared/app/register.ts',
    guard: "first?.kind === 'known'",
    instead: 'true',
    why: 'an interface that is not known is a problem, and was rejected above',
  },
  {
    file: 'shared/app/register.ts',
    guard: 'existing?.tombstone',
    instead: 'true',
    why: 'a fast path: what is owned already is owned by that write as well',
  },
  {
    file: 'shared/app/replace-member.ts',
    guard: "where.kind === 'together'",
    instead: 'true',
    why: 'it tells the type: nothing else has a holder',
  },
  {
    file: 'shared/app/request.ts',
    guard: "where.kind === 'together'",
    instead: 'true',
    why: 'it tells the type: nothing else has a holder',
  },
  {
    file: 'shared/app/restore.ts',
    guard: '!episode',
    instead: 'false',
    why: 'it tells the type: an episode and its lease end in one write, and a move whose lease is lost says so',
  },
  {
    file: 'shared/app/restore.ts',
    guard: 'episode',
    instead: 'true',
    why: 'it tells the type: only an open episode is gone on with',
  },
  {
    file: 'shared/app/restore.ts',
    guard: 'now.episode !== undefined',
    instead: 'true',
    why: 'it tells the type: what a move carries out is the open episode',
  },
  {
    file: 'shared/app/restore.ts',
    guard: "behind.kind === 'lease-lost'",
    instead: 'false',
    why: 'without its lease a journal writes nothing, and the next round says so',
  },
  {
    file: 'shared/app/restore.ts',
    guard: "end.kind === 'lease-lost'",
    instead: 'false',
    why: 'without its lease a journal writes nothing, and the next round says so',
  },
  {
    file: 'shared/app/restore.ts',
    guard: '!plan.source',
    instead: 'false',
    why: 'it tells the type: only planned moves are called back, and they have a source',
  },
  {
    file: 'shared/app/stages.ts',
    guard: '!episode',
    instead: 'false',
    why: 'it tells the type: an episode and its lease end in one write',
  },
  {
    file: 'shared/app/stages.ts',
    guard: "stage.kind === 'fence'",
    instead: 'true',
    why: 'it tells the type: no other stage has an instance of its own',
  },
  {
    file: 'shared/app/stages.ts',
    guard: 'stopped',
    instead: 'false',
    why: 'what could not be marked begun is not issued: the work asks for lease and time itself',
  },
  {
    file: 'shared/app/stages.ts',
    guard: 'begun',
    instead: 'false',
    why: 'who resumes and sees that instance stopped is called off, or goes on as a failover, before he comes here',
  },
  {
    file: 'shared/app/stages.ts',
    guard: "stage.command.kind !== 'document'",
    instead: 'false',
    why: 'it tells the type: a function runs on no instance',
  },
  {
    file: 'shared/app/stages.ts',
    guard: "journal.status() === 'held'",
    instead: 'true',
    why: 'as with begun: nobody comes here with that instance stopped',
  },
  {
    file: 'shared/app/stages.ts',
    guard: 'answer.handle !== this.#handle',
    instead: 'true',
    why: 'the next renewal writes the same handle once more',
  },
  {
    file: 'shared/app/status.ts',
    guard: "where.kind === 'together'",
    instead: 'true',
    why: 'it tells the type: nothing else has a holder',
  },
  {
    file: 'shared/core/aws-commands.ts',
    guard: "'do' in value",
    instead: 'true',
    why: 'it tells the type: no step is called undefined',
  },
  {
    file: 'shared/core/by-hand.ts',
    guard: "'instances' in before",
    instead: 'true',
    why: 'it tells the type: steps that do the same are given the same',
  },
  {
    file: 'shared/core/by-hand.ts',
    guard: "'instances' in step",
    instead: 'true',
    why: 'it tells the type: steps that do the same are given the same',
  },
  {
    file: 'shared/core/service.ts',
    guard: "'check' in serving",
    instead: 'true',
    why: 'it tells the type: an alarm has no check',
  },
  {
    file: 'shared/core/service.ts',
    guard: "'on' in check",
    instead: 'true',
    why: 'it tells the type: a function runs on neither of the two',
  },
  {
    file: 'shared/app/unregister.ts',
    guard: '!now',
    instead: 'false',
    why: 'it tells the type: an item that was read once is never deleted',
  },
  {
    file: 'shared/app/unregister.ts',
    guard: 'found',
    instead: 'true',
    why: 'it tells the type: what is done was found',
  },
  {
    file: 'shared/core/failback.ts',
    guard: "failback === 'manual'",
    instead: 'false',
    why: 'it tells the type: no time is as long as no number',
  },
  {
    file: 'shared/core/failback.ts',
    guard: "evidence.kind === 'not-failed'",
    instead: 'true',
    why: 'it tells the type: a failure has no code',
  },
  {
    file: 'shared/core/gap.ts',
    guard: '!seen',
    instead: 'false',
    why: 'it tells the type: a verification at or after the detach is among the steps before it',
  },
];
