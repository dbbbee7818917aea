/** Ten thousand episodes of forty services over two hundred days, for tests and measurements of what a query costs. */
import { chained, episodeDraft, type WrittenTrail } from './written-trail.ts';

export const services = 40;
const episodesEach = 250;
export const episodes = services * episodesEach;

const day = 24 * 60 * 60 * 1_000;
export const firstAtMs = Date.parse('2026-05-01T00:00:00Z');
const days = 200;
export const lastAtMs = firstAtMs + days * day;

const hex = (number: number) => number.toString(16).padStart(17, '0');
export const serviceOf = (service: number) => `service-${String(service).padStart(2, '0')}`;
export const instanceOf = (service: number, member: number) => `i-${hex(service * 8 + member)}`;
export const eniOf = (service: number) => `eni-${hex(service)}`;
export const people = ['ann', 'bob', 'eve'].map((name) => `arn:aws:iam::123456789012:user/${name}`);

/** Evenly spread; every tenth is a person's, every fiftieth went wrong. */
export function tenThousand(): readonly WrittenTrail[] {
  return Array.from({ length: services }, (_, service) => {
    const drafts = Array.from({ length: episodesEach }, (__, index) => {
      const author = index % 10 === 0 ? people[index % people.length] : undefined;
      return episodeDraft({
        service: serviceOf(service),
        epoch: index + 1,
        atMs: firstAtMs + Math.floor(((index + service / services) / episodesEach) * days * day),
        from: instanceOf(service, index % 3),
        to: instanceOf(service, (index + 1) % 3),
        eni: eniOf(service),
        ...(author !== undefined && { author }),
        ...(index % 50 === 7 && { outcome: 'STRANDED' }),
      });
    });
    return chained(serviceOf(service), drafts);
  });
}
