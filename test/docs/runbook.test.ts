/** Holds docs/runbook.md to the codes that notices lead there with, and to the alarms of template.yaml: both ways. */
import { describe, expect, it } from 'vitest';
import { makeProgram } from '../../cli/program.ts';
import { runbookCodes, runbookFor } from '../../shared/core/runbook.ts';
import { readText, sectionOf, withoutCode } from './markdown.ts';

const file = 'docs/runbook.md';
const text = readText(file);
const headings = [...withoutCode(text).matchAll(/^### (.+)$/gm)].map(([, heading]) => heading ?? '');
const alarms = [
  ...readText('template.yaml').matchAll(/^ {2}(\w+):\n(?: {4}.*\n)*? {4}Type: AWS::CloudWatch::Alarm$/gm),
].map(([, name]) => name ?? '');

describe('docs/runbook.md', () => {
  it('has one section for each code and each alarm, and no other', () => {
    const wanted = [...runbookCodes, ...alarms];
    expect(alarms.length).toBeGreaterThan(5);
    const problems = [
      ...wanted.filter((each) => !headings.includes(each)).map((each) => `${file}: add ### ${each}`),
      ...headings.filter((each) => !wanted.includes(each)).map((each) => `${file}: remove ### ${each}`),
      ...headings
        .filter((each, index) => headings.indexOf(each) !== index)
        .map((each) => `${file}: ### ${each} stands there twice`),
    ];
    expect(problems).toEqual([]);
  });

  it.each(headings)('says of %s what it means, what to look at and what to do', (heading) => {
    const lines = sectionOf(file, heading).map((each) => each.text);
    for (const label of ['Means', 'Look at', 'Do'])
      expect(
        lines.filter((line) => line.startsWith(`- **${label}:** `)).map((line) => line.length > 20 || line),
        label,
      ).toHaveLength(1);
  });

  it.each(runbookCodes)('is where a notice leads to with %s', (code) => {
    expect(runbookFor(code)).toBe(`${file}#${code.toLowerCase()}`);
  });

  it('has no section for what needs nobody', () => {
    for (const code of ['COMPLETED', 'READY', 'CHANGED']) expect(runbookFor(code)).toBeUndefined();
  });

  it('names only commands that exist', () => {
    const program = makeProgram('eni-failover', { say: (command) => command, run: async () => {} });
    const known = program.commands.map((each) => each.name());
    const named = [...text.matchAll(/eni-failover ([a-z][a-z-]+)(?![a-z-]*=)/g)].map(
      ([, name]) => name ?? '',
    );
    expect([...new Set(named)].filter((name) => !known.includes(name))).toEqual([]);
  });
});
