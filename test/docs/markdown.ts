/** Reads the project's Markdown as data, and says for each difference from the code which line to write. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export const root = path.join(import.meta.dirname, '..', '..');

/** A file of the repository, by its path from the root. */
export const readText = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** Text with its code blocks blanked, line by line: what stands in them is neither a heading nor a link. */
export function withoutCode(text: string): string {
  let isCode = false;
  return text
    .split('\n')
    .map((line) => {
      const isFence = /^\s*```/.test(line);
      if (isFence) isCode = !isCode;
      return isCode || isFence ? '' : line;
    })
    .join('\n');
}

interface Line {
  readonly number: number;
  readonly text: string;
}

/** The lines under a heading, up to the next one of its level or above. Throws if there is no such heading. */
export function sectionOf(file: string, heading: string): readonly Line[] {
  const text = readText(file);
  const lines = text.split('\n').map((each, index): Line => ({ number: index + 1, text: each }));
  const prose = withoutCode(text).split('\n');
  const start = prose.findIndex((each) => /^#+ /.test(each) && each.replace(/^#+ /, '') === heading);
  if (start < 0) throw new Error(`${file}: write a section with the heading "${heading}"`);
  const level = /^#+/.exec(prose[start] ?? '')?.[0].length ?? 1;
  const end = prose.findIndex(
    (each, index) => index > start && (/^(#+) /.exec(each)?.[1]?.length ?? 9) <= level,
  );
  return lines.slice(start + 1, end < 0 ? undefined : end);
}

const cellsOf = (line: string) =>
  line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim());

const rowOf = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;

export interface TableCheck {
  readonly file: string;
  readonly heading: string;
  /** What the first columns have to say, row by row, in order. Any further column is free, but not empty. */
  readonly expected: readonly (readonly string[])[];
}

/** The differences between the first table under a heading and what the code says, each with the line to write. */
export function tableProblems({ file, heading, expected }: TableCheck): string[] {
  const lines = sectionOf(file, heading);
  const start = lines.findIndex((each) => each.text.startsWith('|'));
  if (start < 0) return [`${file}, "${heading}": write a table`];
  const end = lines.findIndex((each, index) => index > start && !each.text.startsWith('|'));
  const [header, , ...rows] = lines.slice(start, end < 0 ? undefined : end);
  const width = cellsOf(header?.text ?? '').length;
  const at = (line: Line) => `${file}:${line.number}`;
  const problems: string[] = [];

  const actual = new Map(rows.map((line) => [cellsOf(line.text)[0] ?? '', line]));
  for (const wanted of expected) {
    const free = Array.from({ length: width - wanted.length }, () => '…');
    const line = actual.get(wanted[0] ?? '');
    if (!line) {
      problems.push(`${file}, "${heading}": add the line ${rowOf([...wanted, ...free])}`);
      continue;
    }
    const cells = cellsOf(line.text);
    const kept = cells.slice(wanted.length);
    if (wanted.some((cell, index) => cells[index] !== cell) || cells.length !== width)
      problems.push(
        `${at(line)}: write ${rowOf([...wanted, ...(kept.length === free.length ? kept : free)])}`,
      );
    else if (kept.some((cell) => cell === '' || cell === '…'))
      problems.push(`${at(line)}: fill the last columns of ${line.text}`);
  }
  const keys = expected.map(([key]) => key);
  for (const [key, line] of actual)
    if (!keys.includes(key)) problems.push(`${at(line)}: remove the line ${line.text}`);
  const order = [...actual.keys()];
  if (problems.length === 0 && order.some((key, index) => key !== keys[index]))
    problems.push(`${file}, "${heading}": bring the lines into the order of the code: ${keys.join(', ')}`);
  return problems;
}

/** Every Mermaid diagram under a heading, as its lines without indentation. */
export function diagramsIn(file: string, heading: string): readonly (readonly string[])[] {
  const text = sectionOf(file, heading)
    .map((each) => each.text)
    .join('\n');
  return [...text.matchAll(/```mermaid\n([\s\S]*?)```/g)].map(([, body]) =>
    (body ?? '')
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean),
  );
}

export const code = (text: string) => `\`${text}\``;
