/** One EC2 operation: what it accepts, what it requires, what it does. Whatever is not named here is refused. */

type Required<I, R extends keyof I> = Omit<I, R> & { readonly [K in R]-?: NonNullable<I[K]> };

interface Definition<I extends object, O extends object, R extends keyof I & string> {
  readonly requires?: readonly R[];
  readonly accepts?: readonly (keyof I & string)[];
  run(input: Required<I, R>): O;
}

export interface Operation<I extends object = never, O extends object = object> {
  readonly requires: readonly string[];
  readonly accepts: ReadonlySet<string>;
  run(input: I): O;
}

/** Called twice, so that the SDK's types are given and the required parameters inferred. */
export const operation =
  <I extends object, O extends object>() =>
  <const R extends keyof I & string = never>(definition: Definition<I, O, R>): Operation<I, O> => ({
    requires: definition.requires ?? [],
    accepts: new Set<string>([...(definition.requires ?? []), ...(definition.accepts ?? []), 'DryRun']),
    // The model checks `requires` before it runs anything.
    run: (input) => definition.run(input as unknown as Required<I, R>),
  });

/** Nested structures too are refused where they hold what the model does not understand. */
export function unknownKey(input: object, known: ReadonlySet<string>): string | undefined {
  return Object.entries(input).find(([key, value]) => value !== undefined && !known.has(key))?.[0];
}
