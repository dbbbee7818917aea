/** What the controller knew of a service at a past moment, and why it did or did not act: from its trail alone. */
import type { EpisodeKind, Step } from './episode.ts';

interface FromRecord {
  /** The record's place in the service's trail. */
  readonly number: number;
  /** ISO 8601, UTC, as every `at`, `since` and `until` here. */
  readonly at: string;
}

export interface PastRegistration extends FromRecord {
  readonly author: string;
  readonly mode: string;
  readonly members: readonly string[];
  readonly interfaces: readonly string[];
}

export interface PastPause extends FromRecord {
  readonly author: string;
  readonly reason: string;
  readonly until: string;
}

export interface PastQuarantine extends FromRecord {
  readonly member: string;
  readonly why: string;
}

export interface PastEpisode {
  readonly id: string;
  readonly kind: EpisodeKind;
  readonly openedAt: string;
  readonly from: string | null;
  readonly to: string;
  readonly evidence: string;
  /** Up to the moment that is asked about. */
  readonly steps: readonly Step[];
  /** How it ended later; null while it is still open. */
  readonly end: (FromRecord & { readonly outcome: string; readonly why: string }) | null;
}

export interface PastFinding extends FromRecord {
  readonly kind: string;
  readonly code: string;
  readonly detail: string;
  /** Each member's own reason, where the record names them. */
  readonly members: readonly { readonly member: string; readonly code: string; readonly detail: string }[];
}

/**
 * `acting`: an episode was open. `would-not-act`: registered, and something held it back. `watching`: nothing
 * known held it back. `not-registered`: not yet, or not any more. `unknown`: the trail does not reach that far.
 */
export type PastVerdict = 'acting' | 'would-not-act' | 'watching' | 'not-registered' | 'unknown';

export interface Past {
  readonly verdict: PastVerdict;
  /** Why it did or did not act, in one or two sentences. */
  readonly sentence: string;
  /** The reason codes that held it back, with how each could have been ended. */
  readonly blockers: readonly { readonly code: string; readonly detail: string; readonly wayOut: string }[];
  readonly registered: PastRegistration | null;
  /** Where the interfaces were, as last recorded. */
  readonly holder: (FromRecord & { readonly instance: string | null }) | null;
  readonly pause: PastPause | null;
  readonly quarantined: readonly PastQuarantine[];
  /** The episode that was open at that moment. */
  readonly episode: PastEpisode | null;
  /** The one that had ended last before. */
  readonly lastEpisode:
    | (FromRecord & { readonly id: string; readonly outcome: string; readonly why: string })
    | null;
  readonly lastRefusal: PastFinding | null;
  readonly lastObserved: PastFinding | null;
  readonly readiness: (PastFinding & { readonly ready: boolean }) | null;
  /** What was recorded next. */
  readonly next: (FromRecord & { readonly kind: string; readonly outcome: string }) | null;
  /** What no trail can tell about that moment, in sentences. */
  readonly unknown: readonly string[];
}

export interface ExplainedPast {
  readonly service: string;
  readonly at: string;
  readonly answer: Past;
}
