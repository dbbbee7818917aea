/** Mutants that nobody can tell from the original, each with the reason: they are not hunted. */

export interface Equivalent {
  readonly file: string;
  readonly guard: string;
  readonly instead: string;
  readonly why: string;
}

export const equivalents: readonly Equivalent[] = [
  {
    file: 'shared/app/claim.ts',
    guard: 'error instanceof PortError',
    instead: 'true',
    why: 'it tells the type: no other error has mayRetry',
  },
  {
    file: 'shared/app/close.ts',
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
    file: 'shared/app/restore.ts',
    guard: '!episode',
    instead: 'false',
    why: 'it tells the type: an episode and its lease end in one write, and a move whose lease is lost says so',
  },
  {
    file: 'shared/app/status.ts',
    guard: "where.kind === 'together'",
    instead: 'true',
    why: 'it tells the type: nothing else has a holder',
  },
];
