/** Holds a notice against docs/schema/notice.schema.json, and against what AWS's chat integration takes. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Publication } from '../../shared/core/notice.ts';

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
const file = path.join(import.meta.dirname, '..', '..', 'docs', 'schema', 'notice.schema.json');
const isProgram = ajv.compile(JSON.parse(readFileSync(file, 'utf8')) as object);

const text = { type: 'string', minLength: 1 };
const texts = { type: 'array', items: text };

/** The custom notification as AWS documents it, with what Slack will show of it as limits. */
const isChat = ajv.compile({
  type: 'object',
  additionalProperties: false,
  required: ['version', 'source', 'content'],
  properties: {
    version: { const: '1.0' },
    source: { const: 'custom' },
    id: text,
    content: {
      type: 'object',
      additionalProperties: false,
      required: ['description'],
      properties: {
        textType: { const: 'client-markdown' },
        title: { ...text, maxLength: 150 },
        description: { ...text, maxLength: 3_000 },
        nextSteps: { ...texts, maxItems: 10 },
        keywords: texts,
      },
    },
    metadata: {
      type: 'object',
      additionalProperties: false,
      properties: {
        threadId: text,
        summary: text,
        eventType: text,
        relatedResources: texts,
        additionalContext: { type: 'object', additionalProperties: { type: 'string' } },
      },
    },
  },
});

const problemsOf = (what: string, validate: ValidateFunction, value: unknown) =>
  validate(value)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${what} ${instancePath} ${message}`);

/** What is wrong with it; empty when nothing is. */
export const noticeProblems = ({ program, chat }: Publication): readonly string[] => [
  ...problemsOf('program', isProgram, JSON.parse(JSON.stringify(program))),
  ...problemsOf('chat', isChat, JSON.parse(JSON.stringify(chat))),
];
