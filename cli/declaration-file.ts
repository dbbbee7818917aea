/** A declaration as a file: YAML in, and for every problem the line and column where it is. */
import { readFileSync } from 'node:fs';
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument, type YAMLError } from 'yaml';
import { messageOf } from '../shared/core/errors.ts';
import { CliError } from './answer.ts';

/** One thing to say about a file. */
export interface Remark {
  /** From 1; absent where no place in the file is to blame. */
  readonly line: number | null;
  readonly column: number | null;
  /** Begins with the field, where there is one: `members.0.instance: …`. */
  readonly message: string;
}

export interface DeclarationFile {
  readonly file: string;
  /** Undefined where the YAML itself is broken. */
  readonly declaration: unknown;
  readonly broken: readonly Remark[];
  /** Finds the place of each problem by the field that it begins with. */
  locate(problems: readonly string[]): readonly Remark[];
}

/** The first characters of a problem up to `: `, as a path into the document: numbers are indexes. */
function pathOf(problem: string): (string | number)[] {
  const field = /^[A-Za-z0-9_.-]+(?=: )/.exec(problem)?.[0] ?? '';
  return field.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** Where the field is written, or the nearest thing around it that is there. */
function offsetOf(document: Document, problem: string): number | undefined {
  for (let path = pathOf(problem); path.length > 0; path = path.slice(0, -1)) {
    const around = document.getIn(path.slice(0, -1), true);
    const pair = isMap(around)
      ? around.items.find(({ key }) => isScalar(key) && key.value === path.at(-1))
      : undefined;
    const node = pair?.key ?? document.getIn(path, true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return undefined;
}

const inOurWords = ({ code, message }: YAMLError) =>
  code === 'MULTIPLE_DOCS' ? 'a second document begins here: declare one service in a file' : message;

/** Throws {@link CliError} when the file cannot be read; what is wrong in it is part of the answer. */
export function readDeclarationFile(file: string): DeclarationFile {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new CliError(
      'usage',
      missing ? `there is no file ${file}` : `${file} cannot be read: ${messageOf(error)}`,
      error,
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const remark = (message: string, offset: number | undefined): Remark => {
    const place = offset === undefined ? undefined : lines.linePos(offset);
    return { line: place?.line ?? null, column: place?.col ?? null, message };
  };
  const broken = document.errors.map((error) => remark(inOurWords(error), error.pos[0]));
  if (broken.length === 0 && document.contents === null)
    broken.push(remark('the file is empty: declare name, interfaces and members', undefined));
  return {
    file,
    declaration: broken.length > 0 ? undefined : document.toJS(),
    broken,
    locate: (problems) => problems.map((problem) => remark(problem, offsetOf(document, problem))),
  };
}

/** As compilers and editors write it: `orders-db.yaml:12:5  members.0.instance: …`. */
export const placed = (file: string, { line, column, message }: Remark) =>
  line === null ? `${file}  ${message}` : `${file}:${line}:${column}  ${message}`;
