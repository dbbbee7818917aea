/** Reads the XML that EC2 and SNS answer with: elements and text, which is all that they use. */

export interface Xml {
  readonly name: string;
  readonly text: string;
  readonly children: readonly Xml[];
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

const unescaped = (text: string): string =>
  text.replace(/&(?:#(?<decimal>\d+)|#x(?<hex>[0-9a-f]+)|(?<name>\w+));/gi, (whole, ...groups) => {
    const { decimal, hex, name } = groups.at(-1) as Record<string, string | undefined>;
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    return entities[name ?? ''] ?? whole;
  });

interface Open {
  readonly name: string;
  readonly children: Xml[];
  text: string;
}

/** The root element. Throws where tags do not match. */
export function parseXml(source: string): Xml {
  const document: Open = { name: '', children: [], text: '' };
  const open = [document];
  const pieces = /<\?[^>]*\?>|<(?<slash>\/?)(?<name>[^\s/>]+)[^>]*?(?<empty>\/?)>|(?<text>[^<]+)/g;
  for (const { groups = {} } of source.matchAll(pieces)) {
    const { slash, name, empty, text } = groups;
    const here = open.at(-1) ?? document;
    if (text !== undefined) {
      here.text += unescaped(text);
    } else if (slash === '/') {
      if (here.name !== name || open.length < 2) throw new Error(`</${name}> closes <${here.name}>`);
      open.pop();
      open.at(-1)?.children.push(here);
    } else if (name !== undefined) {
      const element: Open = { name, children: [], text: '' };
      if (empty === '/') here.children.push(element);
      else open.push(element);
    }
  }
  const [root] = document.children;
  if (root === undefined || open.length > 1) throw new Error('the XML is not complete');
  return root;
}

/** The element at a path of names such as `attachment/status`; undefined where there is none. */
export function find(from: Xml, path: string): Xml | undefined {
  return path
    .split('/')
    .reduce<Xml | undefined>((at, name) => at?.children.find((child) => child.name === name), from);
}

/** The text at a path; empty where there is none. */
export const textAt = (from: Xml, path: string): string => find(from, path)?.text ?? '';

/** What a list holds: its elements are called `item` (EC2) or `member` (SNS). */
export const itemsAt = (from: Xml, path: string): readonly Xml[] => find(from, path)?.children ?? [];
