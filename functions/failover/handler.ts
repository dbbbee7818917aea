/** The Lambda that may change EC2: wiring only. */
import type { Context } from 'aws-lambda';
import { compose, newRun } from '../../shared/runtime/compose.ts';
import { parseConfig } from '../../shared/runtime/config.ts';
import { type Answer, handle } from './handle.ts';

const { ports, dedupe } = compose(parseConfig(process.env));

export const handler = (event: unknown, context: Context): Promise<Answer> =>
  handle(event, ports, newRun(context.getRemainingTimeInMillis()), (key, work) => dedupe(key, context, work));
