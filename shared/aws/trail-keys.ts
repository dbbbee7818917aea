/** Where a record and the pointers to it lie in the state table (docs/protocol.md, Keys). */
import { marshall } from '@aws-sdk/util-dynamodb';
import { everything } from '../core/ids.ts';

export type Row = Record<string, unknown>;

export const toItem = (row: Row) => marshall(row, { removeUndefinedValues: true });
export const keyOf = (pk: string, sk: string) => ({ pk: { S: pk }, sk: { S: sk } });

export const controllerPartition = 'CONTROLLER';
export const servicePartition = (name: string) => `SERVICE#${name}`;
/** Whose records lie there: a service's, or the controller's own. */
export const trailPartition = (name: string) =>
  name === everything ? controllerPartition : servicePartition(name);
export const nameOfPartition = (pk: string) =>
  pk === controllerPartition ? everything : pk.slice(servicePartition('').length);
const padded = (number: number) => String(number).padStart(12, '0');
export const trailSort = (number: number) => `TRAIL#${padded(number)}`;
/** Sorts behind the highest number. */
export const afterAllRecords = 'TRAIL#~';
/** By time first: a range of time is a range of keys, in every partition of pointers. */
export const pointerSort = (atMs: number, name: string, number: number) =>
  `${new Date(atMs).toISOString()}#${name}#${padded(number)}`;
