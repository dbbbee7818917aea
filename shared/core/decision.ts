/** What `decide` is asked and what it can answer, as types and as short words for building the answers. */
import type { EpisodeKind } from './episode.ts';
import type { Hint } from './hint.ts';
import type { AttachmentId, EniId, InstanceId } from './ids.ts';
import type { Observation } from './observation.ts';
import type { Plan } from './plan.ts';
import { describeMember, type MemberRefusal, type ReasonCode } from './reasons.ts';
import type { ControllerState, OperatorRequest, Service } from './state.ts';
import { times } from './times.ts';

export type Decision =
  | { readonly kind: 'nothing'; readonly code: ReasonCode; readonly detail: string }
  | Refusal
  /** Too surprising or too unclear to act on at one glance (P11, P35). */
  | {
      readonly kind: 'look-again';
      readonly code: ReasonCode;
      readonly detail: string;
      readonly soon: boolean;
    }
  | { readonly kind: 'move'; readonly episode: EpisodeKind; readonly plan: Plan; readonly evidence: string }
  | { readonly kind: 'continue'; readonly plan: Plan; readonly why: string }
  /** Ends an open episode that has not moved anything. */
  | { readonly kind: 'abort'; readonly outcome: 'ABORTED' | 'REFUSED'; readonly why: string }
  /** A person did something, or AWS announces something: write it down, tell people, touch nothing. */
  | {
      readonly kind: 'record';
      readonly code: ReasonCode;
      readonly detail: string;
      readonly holder?: InstanceId;
    }
  /** Healthy, but terminating the holder would delete an interface: set DeleteOnTermination to false. */
  | {
      readonly kind: 'keep';
      readonly attachments: readonly { readonly eni: EniId; readonly attachment: AttachmentId }[];
    }
  /** Stranded before, and now together again on one member, whoever did it (P26). */
  | { readonly kind: 'recovered'; readonly holder: InstanceId };

export interface Refusal {
  readonly kind: 'refuse';
  readonly code: ReasonCode;
  readonly detail: string;
  readonly members: readonly MemberRefusal[];
  /** The operator's request that is refused, and so is over (P29). */
  readonly request?: string;
  /** Nobody has the service, or one who failed: who or what. */
  readonly down?: string;
  /** A person must know: the service is down or unprotected, and we do nothing. */
  readonly callHuman: boolean;
}

export interface Question {
  readonly service: Service;
  readonly controller: ControllerState;
  readonly observation: Observation;
  readonly hint: Hint;
  /** How often this was looked at already because of the same event. */
  readonly look: number;
  /** True once a second look in a row showed the same surprise (P11). */
  readonly believed: boolean;
  readonly nowMs: number;
}

export const refuse = (
  code: ReasonCode,
  detail: string,
  members: readonly MemberRefusal[] = [],
): Refusal => ({
  kind: 'refuse',
  code,
  detail: [detail, ...members.map(describeMember)].join('; '),
  members,
  callHuman: true,
});
/** Nobody reckons any more with a request that is so old (P29). */
export const isExpired = (request: OperatorRequest, nowMs: number) =>
  nowMs - request.atMs > times.requestTtlMs;

/** None of an operator's requests is left waiting for ever: what is refused when one has expired answers it (P29). */
export const answering = (refusal: Refusal, { request }: Service, nowMs: number): Refusal =>
  request && isExpired(request, nowMs) ? { ...refusal, request: request.id } : refusal;
export const nothing = (code: ReasonCode, detail: string): Decision => ({ kind: 'nothing', code, detail });
export const again = (code: ReasonCode, detail: string, soon: boolean): Decision => ({
  kind: 'look-again',
  code,
  detail,
  soon,
});
