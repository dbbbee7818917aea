/** Every relative link in the documents leads to a file, and every anchor to a heading in it. */
import { existsSync, globSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readText, root, withoutCode } from './markdown.ts';

const documents = ['README.md', ...globSync('docs/**/*.md', { cwd: root })]
  .filter((file) => existsSync(path.join(root, file)))
  .map((file) => file.split(path.sep).join('/'));

/** As GitHub makes anchors: lower case, blanks to hyphens, everything but letters, digits, `-` and `_` dropped. */
const toAnchor = (heading: string) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');

const anchorsOf = (file: string) =>
  [...withoutCode(readText(file)).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => toAnchor(heading ?? ''));

function brokenLinks(file: string): string[] {
  return withoutCode(readText(file))
    .split('\n')
    .flatMap((line, index) =>
      [...line.matchAll(/\]\((?!https?:|mailto:)([^)\s]*)\)/g)].flatMap(([, link = '']) => {
        const [target = '', anchor] = link.split('#');
        const found = target === '' ? file : path.posix.join(path.posix.dirname(file), target);
        const at = `${file}:${index + 1}`;
        if (!existsSync(path.join(root, found))) return [`${at}: there is no ${found}: correct the link`];
        const isFile = statSync(path.join(root, found)).isFile();
        if (anchor === undefined || !isFile || anchorsOf(found).includes(anchor)) return [];
        return [`${at}: ${found} has no heading for #${anchor}: correct the link`];
      }),
    );
}

describe('the documents', () => {
  it.each(documents)('have no broken link in %s', (file) => {
    expect(brokenLinks(file)).toEqual([]);
  });

  it('name every decision record in the index', () => {
    const index = readText('docs/adr/README.md');
    const records = globSync('docs/adr/[0-9]*.md', { cwd: root }).map((file) => path.basename(file));
    const problems = records
      .filter((name) => !index.includes(`](${name})`))
      .map((name) => `docs/adr/README.md: add a line for ${name}`);
    expect(problems).toEqual([]);
    expect(records.length).toBeGreaterThan(0);
  });

  it.each(globSync('docs/adr/[0-9]*.md', { cwd: root }))(
    'give %s a context, a decision, consequences',
    (file) => {
      const headings = [...readText(file).matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
      expect(headings).toEqual(['Context', 'Decision', 'Consequences']);
    },
  );
});
