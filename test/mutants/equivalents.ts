/** Mutants that nobody can tell from the original, each with the reason: they are not hunted. */

export interface Equivalent {
  readonly file: string;
  readonly guard: string;
  readonly instead: string;
  readonly why: string;
}

export const equivalents: readonly Equivalent[] = [
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
];
