/** Holds docs/protocol.md and docs/architecture.md against the code. A failure names the line to write. */
import { globSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDeclaration } from '../../shared/core/service.ts';
import { times } from '../../shared/core/times.ts';
import { code, readText, root, sectionOf, tableProblems, withoutCode } from './markdown.ts';

const protocol = 'docs/protocol.md';
const architecture = 'docs/architecture.md';

function duration(ms: number): string {
  if (ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms % 1_000 === 0 ? `${ms / 1_000} s` : `${ms} ms`;
}

function shown(name: string, value: number | readonly number[]): string {
  if (typeof value !== 'number') return value.map((each) => shown(name, each)).join(', ');
  return name.endsWith('Ms') ? duration(value) : String(value);
}

describe('the rules of docs/protocol.md', () => {
  const lines = withoutCode(readText(protocol)).split('\n');
  const headings = lines.flatMap((line, index) => {
    const number = /^### (P\d+)\. ./.exec(line)?.[1];
    return number ? [{ number, line: index }] : [];
  });
  const bullets = lines.flatMap((line) => /^- \*\*([SL]\d+)\*\* ./.exec(line)?.[1] ?? []);
  const defined = new Set([...headings.map((each) => each.number), ...bullets]);

  it('are numbered from P1 to P39, without a gap', () => {
    expect(headings.map((each) => each.number)).toEqual(Array.from({ length: 39 }, (_, i) => `P${i + 1}`));
  });

  it('each say why, and where in the code or that they are not there yet', () => {
    const problems = headings.flatMap(({ number, line }, index) => {
      const body = lines.slice(line + 1, headings[index + 1]?.line).join('\n');
      return [
        ...(/^- \*Why:\* \S/m.test(body) ? [] : [`${protocol}:${line + 1}: add "- *Why:* …" to ${number}`]),
        ...(/^- \*(?:Code|Not yet):\* \S/m.test(body)
          ? []
          : [`${protocol}:${line + 1}: add "- *Code:* …" or "- *Not yet:* …" to ${number}`]),
      ];
    });
    expect(problems).toEqual([]);
  });

  it('include every rule and invariant that a comment or a test names', () => {
    const files = globSync(
      ['{shared,functions,cli,demo,infra,bench}/**/*.ts', 'test/{core,app,aws,functions,simulation}/**/*.ts'],
      {
        cwd: root,
      },
    );
    const named = [...files, 'template.yaml'].flatMap((file) =>
      [...readText(file).matchAll(/\b(?:P|S|L)[1-9]\d?\b(?!\s*[=(])/g)].map(([number]) => ({
        file,
        number,
      })),
    );
    expect(named.length).toBeGreaterThan(50);
    const problems = named
      .filter(({ number }) => !defined.has(number))
      .map(({ file, number }) => `${file} names ${number}: add it to ${protocol}, or correct the comment`);
    expect([...new Set(problems)]).toEqual([]);
  });

  it('include every section that a comment names', () => {
    const files = globSync('{shared,functions,cli}/**/*.ts', { cwd: root });
    const named = files.flatMap((file) =>
      [...readText(file).matchAll(/docs\/protocol\.md, ([A-Z]\w+)/g)].map(([, heading]) => heading ?? ''),
    );
    expect(named).toEqual(expect.arrayContaining(['Times', 'Evidence']));
    for (const heading of named) expect(sectionOf(protocol, heading).length).toBeGreaterThan(0);
  });
});

describe('the places that the documents name', () => {
  const documents = globSync('docs/**/*.md', { cwd: root });
  const place = /\[`[^`]+`\]\(((?:\.\.\/)+[^)]+\.(?:ts|yaml|mjs))\)((?:,? (?:and )?`[^`]+`)*)/g;

  it.each(documents)('exist as written in %s', (document) => {
    const problems = [...readText(document).matchAll(place)].flatMap(([, target = '', names = '']) => {
      const file = target.replace(/^(?:\.\.\/)+/, '');
      const text = readText(file);
      return [...names.matchAll(/`([^`]+)`/g)].flatMap(([, name = '']) =>
        text.includes(name)
          ? []
          : [`${document}: ${file} has no ${name}: write what it is called now, or where it went`],
      );
    });
    expect(problems).toEqual([]);
  });
});

describe('the tables of values', () => {
  it('hold every duration and number of shared/core/times.ts', () => {
    const expected = Object.entries(times).map(([name, value]) => [code(name), shown(name, value)]);
    expect(tableProblems({ file: protocol, heading: 'Times', expected })).toEqual([]);
  });

  it('hold every default of a policy', () => {
    const parsed = parseDeclaration({
      name: 'a',
      interfaces: [{ eni: 'eni-0123456789abcdef0', deviceIndex: 1 }],
      members: [{ instance: 'i-0123456789abcdef0' }],
    });
    if (parsed.kind === 'invalid') throw new Error(parsed.problems.join());
    const isDuration = new Set(['confirm', 'plainDetach', 'quarantineFor', 'fenceTimeout']);
    const expected = Object.entries(parsed.declaration.policy).map(([name, value]) => [
      code(`policy.${name}`),
      typeof value === 'number' && isDuration.has(name) ? duration(value) : String(value),
    ]);
    expect(tableProblems({ file: protocol, heading: 'Defaults of a policy', expected })).toEqual([]);
  });

  it('hold every attribute of the service item', () => {
    const body = /export interface ServiceState \{\n([\s\S]*?)\n\}/.exec(
      readText('shared/core/state.ts'),
    )?.[1];
    const names = [...(body ?? '').matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name]) => name ?? '');
    expect(names).toContain('rev');
    const expected = names.map((name) => [code(name)]);
    expect(tableProblems({ file: architecture, heading: 'The service item', expected })).toEqual([]);
  });

  it('hold every permission of template.yaml', () => {
    const template = readText('template.yaml');
    const holders = [
      ...template.matchAll(
        /^ {2}(\w+):\n {4}Type: AWS::(?:Serverless::Function|IAM::ManagedPolicy)\n([\s\S]*?)(?=^ {2}\S)/gm,
      ),
    ];
    expect(holders.map(([, name]) => name)).toContain('FailoverFunction');
    const statements = holders.flatMap(([, name, body = '']) =>
      [
        ...body.matchAll(/- Sid: (\w+)\n\s+Effect: (\w+)\n\s+Action:((?: \S+|\n\s+- [a-z]\w*:[A-Z]\w+)+)/g),
      ].map(([, sid, effect, actions = '']) => {
        const names = [...actions.matchAll(/[a-z]\w*:[A-Z]\w+/g)].map(([action]) => code(action));
        return [`${name}, ${sid}`, effect === 'Deny' ? '**never**' : 'may', names.join(', ')];
      }),
    );
    expect(statements.length).toBe([...template.matchAll(/- Sid: /g)].length);
    expect(tableProblems({ file: architecture, heading: 'Who may do what', expected: statements })).toEqual(
      [],
    );
  });
});
