/** Makes docs/schema/declaration.schema.json from the schema that declarations are read with. Run it to write the file. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ConversionConfig, toJsonSchema } from '@valibot/to-json-schema';
import type { GenericSchema } from 'valibot';
import { DeclarationSchema } from '../../shared/core/service.ts';
import { root } from './markdown.ts';

export const file = 'docs/schema/declaration.schema.json';

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  $schema?: unknown;
  $defs?: unknown;
  minItems?: number;
}

/** The two shapes of what is one of them; undefined of every other schema. */
const alternativesOf = (schema: object): readonly GenericSchema[] | undefined =>
  'alternatives' in schema ? (schema.alternatives as readonly GenericSchema[]) : undefined;

const config: ConversionConfig = {
  typeMode: 'input',
  // What a check over several fields wants cannot be said in JSON Schema: registration says it.
  errorMode: 'ignore',
  overrideSchema: ({ valibotSchema, jsonSchema }) => {
    const alternatives = alternativesOf(valibotSchema);
    return alternatives ? { oneOf: alternatives.map(convert) } : jsonSchema;
  },
};

function convert(schema: GenericSchema): object {
  const { $schema: _, $defs: __, ...converted } = toJsonSchema(schema, config) as JsonSchema;
  return converted;
}

export function declarationSchema(): object {
  const { properties = {}, ...schema } = convert(DeclarationSchema) as JsonSchema;
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'A service of eni-failover, as it is registered',
    ...schema,
    // An empty list can be stored, but not registered.
    properties: { ...properties, members: { ...properties['members'], minItems: 1 } },
  };
}

if (import.meta.main)
  writeFileSync(path.join(root, file), `${JSON.stringify(declarationSchema(), undefined, 2)}\n`);
