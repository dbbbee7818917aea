/** How large things may be in the service's item (P7), counted as the table counts: bytes, not characters. */

const bytes = new TextEncoder();
export const bytesOf = (value: unknown): number => bytes.encode(JSON.stringify(value) ?? '').length;

/** In bytes of JSON. */
export const most = {
  /** DynamoDB refuses 400 KB. What is left belongs to the episodes: their plans, steps and ends are never refused. */
  item: 200_000,
  /** With every option, fifteen interfaces and twenty members it has a fifth of this. */
  declaration: 32 * 1_024,
  /** A notice's facts stand in the item, and five times in one message of at most 256 KB. */
  noticeData: 8 * 1_024,
  /** Of what an operator did by hand. */
  journal: 16 * 1_024,
} as const;
