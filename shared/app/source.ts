/** Where a registration comes from: a stack, or an operator's own hand. One source does not undo another's work. */
import type { ServiceState } from '../core/state.ts';

/** Whoever does not say. */
export const operator = 'operator';

export const sourceOf = ({ source = operator }: Pick<ServiceState, 'source'>): string => source;

/** What an operator must hear who changes what a stack registered; empty where it is an operator's own. */
export const mayBeUndoneBy = (service: Pick<ServiceState, 'source'>): string =>
  sourceOf(service) === operator ? '' : `; the next deployment of ${sourceOf(service)} may undo it`;
