/** A row of the trail as it lies in the table, in the words in which functions/audit answers it. */
import type { TrailRow } from '../shared/app/ports.ts';
import type { TrailRecord } from '../shared/core/audit-query.ts';

/** Throws where the text of the row is no JSON: verify says what is wrong with it. */
export function toTrailRecord({ body, hash, kind }: TrailRow): TrailRecord {
  const said = JSON.parse(body) as Partial<TrailRecord> & { readonly code?: string };
  // Records of older versions do not say these of themselves.
  const defaults = { outcome: said.code ?? kind.toUpperCase(), instances: [], interfaces: [] };
  return { ...defaults, ...said, hash } as TrailRecord;
}
