/** Parsers for what is typed on the command line: the same rules as in a declaration, said in the same words. */
import { InvalidArgumentError, Option } from 'commander';
import * as v from 'valibot';
import { ReasonSchema } from '../shared/core/control.ts';
import {
  EniIdSchema,
  everything,
  InstanceIdSchema,
  ServiceNameSchema,
  type TrailName,
} from '../shared/core/ids.ts';
import { DurationSchema } from '../shared/core/service.ts';

export const parserOf =
  <T>(schema: v.GenericSchema<unknown, T>) =>
  (text: string): T => {
    const result = v.safeParse(schema, text);
    if (result.success) return result.output;
    throw new InvalidArgumentError(`It ${result.issues[0].message}.`);
  };

export const parseServiceName = parserOf(ServiceNameSchema);
/** Whose trail: of a service, or of what was done to everything. */
export const parseTrailName = (text: string): TrailName =>
  text === everything ? everything : parseServiceName(text);

/** Quoted only where a shell would take it apart. */
export const quoted = (word: string) =>
  /^[\w@%+=:,./#-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

export const parseInstanceId = parserOf(InstanceIdSchema);
export const parseEniId = parserOf(EniIdSchema);

/** Milliseconds. */
export const parseDuration = parserOf(v.pipe(DurationSchema, v.minValue(1, 'must be longer than nothing')));

export const parseReason = parserOf(ReasonSchema);

/** Of every command that changes something: nobody should have to ask afterwards. */
export const reasonOption = () =>
  new Option('--reason <text>', 'why; people read it in the notice and in the trail')
    .argParser(parseReason)
    .makeOptionMandatory();

export const parseZone = parserOf(
  v.pipe(v.string(), v.regex(/^[a-z]{2}-[a-z0-9-]*\d[a-z]$/, 'must look like us-east-1a')),
);

/** Empty means none, as AWS's own tools take it. */
export function parseEndpoint(text: string): string | undefined {
  if (text === '') return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return text;
  throw new InvalidArgumentError('It must be a URL such as http://127.0.0.1:4566.');
}
