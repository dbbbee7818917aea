/** Describe filters as EC2 reads them: values are alternatives, filters all hold, `*` and `?` are wildcards. */
import type { Filter } from '@aws-sdk/client-ec2';
import { invalidValue } from './errors.ts';
import type { Tags } from './records.ts';

type Value = string | number | boolean | undefined;

/** For each filter name the values an item has; an item matches if any of them does. */
export type Attributes<T> = Readonly<Record<string, (item: T) => Value | readonly Value[]>>;

/** Adds `tag-key` and, with it, `tag:KEY` for any key. */
export function taggedAttributes<T extends { readonly tags: Tags }>(
  attributes: Attributes<T>,
): Attributes<T> {
  return { ...attributes, 'tag-key': (item) => [...item.tags.keys()] };
}

/** One predicate for all filters. A filter that the operation does not know is an error, never ignored. */
export function matcher<T extends { readonly tags?: Tags }>(
  filters: readonly Filter[] | undefined,
  attributes: Attributes<T>,
): (item: T) => boolean {
  const tests = (filters ?? []).map((filter) => {
    const name = filter.Name ?? '';
    const values = filter.Values ?? [];
    if (values.length === 0) throw invalidValue(`The filter '${name}' has no values`);
    const matches = anyOf(values);
    const valuesOf = attributeNamed(name, attributes);
    return (item: T): boolean => {
      const found = valuesOf(item);
      if (!Array.isArray(found)) return found !== undefined && matches(String(found));
      return found.some((value) => value !== undefined && matches(String(value)));
    };
  });
  return (item) => tests.every((test) => test(item));
}

function attributeNamed<T extends { readonly tags?: Tags }>(name: string, attributes: Attributes<T>) {
  if (name.startsWith('tag:') && Object.hasOwn(attributes, 'tag-key')) {
    const key = name.slice('tag:'.length);
    return (item: T) => item.tags?.get(key);
  }
  const attribute = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
  if (attribute === undefined) throw invalidValue(`The filter '${name}' is invalid`);
  return attribute;
}

function anyOf(patterns: readonly string[]): (value: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !/[*?\\]/.test(pattern)));
  const wild = patterns.filter((pattern) => !exact.has(pattern)).map(wildcard);
  return (value) => exact.has(value) || wild.some((pattern) => pattern.test(value));
}

/** A backslash takes the meaning from the wildcard that follows it. */
function wildcard(pattern: string): RegExp {
  const source = pattern.replace(/\\?[\s\S]/g, (char) => {
    if (char === '*') return '[\\s\\S]*';
    if (char === '?') return '[\\s\\S]';
    return char.slice(-1).replace(/[^\w\s]/, '\\$&');
  });
  return new RegExp(`^(?:${source})$`);
}
