// The Query protocol (form in, XML out) of CloudWatch and SNS, read and written by the SDK's own schemas.

import { XmlShapeSerializer } from '@aws-sdk/core/protocols';
import { NormalizedSchema } from '@smithy/core/schema';
import type { SchemaRef } from '@smithy/types';
import type { AwsAnswer } from './aws-request.ts';

/** `Dimensions.member.1.Name=InstanceId` and so on, back into the shape that it was written from. */
export function readForm(schema: NormalizedSchema, form: URLSearchParams, prefix = ''): unknown {
  const below = (step: string) => (prefix === '' ? step : `${prefix}.${step}`);
  if (schema.isStructSchema()) {
    const entries = [...schema.structIterator()].flatMap(([name, member]) => {
      const value = readForm(member, form, below(name));
      return value === undefined ? [] : [[name, value] as const];
    });
    return prefix === '' || entries.length > 0 ? Object.fromEntries(entries) : undefined;
  }
  if (schema.isListSchema()) {
    const items: unknown[] = [];
    for (let index = 1; ; index += 1) {
      const item = readForm(schema.getValueSchema(), form, below(`member.${index}`));
      if (item === undefined) return items.length > 0 || form.has(prefix) ? items : undefined;
      items.push(item);
    }
  }
  if (schema.isMapSchema()) {
    const { xmlName: keyName = 'key' } = schema.getKeySchema().getMergedTraits();
    const { xmlName: valueName = 'value' } = schema.getValueSchema().getMergedTraits();
    const entries: (readonly [string, unknown])[] = [];
    for (let index = 1; ; index += 1) {
      const key = form.get(below(`entry.${index}.${keyName}`));
      if (key === null) return entries.length > 0 ? Object.fromEntries(entries) : undefined;
      entries.push([key, readForm(schema.getValueSchema(), form, below(`entry.${index}.${valueName}`))]);
    }
  }
  const text = form.get(prefix);
  if (text === null) return undefined;
  if (schema.isBooleanSchema()) return text === 'true';
  if (schema.isNumericSchema()) return Number(text);
  return schema.isTimestampSchema() ? new Date(text) : text;
}

export interface QueryService {
  readonly xmlNamespace: string;
  readonly serviceNamespace: string;
}

/** The answer to `operation`, whose output has this schema; without one, the answer has no result. */
export function queryAnswer(
  operation: string,
  outputSchema: SchemaRef,
  output: unknown,
  service: QueryService,
): AwsAnswer {
  const schema = NormalizedSchema.of(outputSchema);
  let result = '';
  if (schema.isStructSchema()) {
    const serializer = new XmlShapeSerializer({
      ...service,
      timestampFormat: { useTrait: true, default: 5 as const },
    });
    serializer.write(schema, output);
    // The serializer names the root after the shape; the Query protocol names it after the operation.
    const inner = /^<[^>]*[^/]>(.*)<\/[^>]+>$/s.exec(String(serializer.flush()))?.[1] ?? '';
    result = `<${operation}Result>${inner}</${operation}Result>`;
  }
  return {
    status: 200,
    headers: { 'content-type': 'text/xml' },
    body: `<${operation}Response xmlns="${service.xmlNamespace}">${result}<ResponseMetadata><RequestId>sandbox</RequestId></ResponseMetadata></${operation}Response>`,
  };
}
