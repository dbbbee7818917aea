/** Tags of every resource that can carry them, and the three operations on tags alone. */
import type {
  CreateTagsRequest,
  DeleteTagsRequest,
  DescribeTagsRequest,
  DescribeTagsResult,
  ResourceType,
  Tag,
  TagDescription,
  TagSpecification,
} from '@aws-sdk/client-ec2';
import { Ec2Error, invalidValue } from './errors.ts';
import { type Attributes, matcher, taggedAttributes } from './filters.ts';
import { type IdPrefix, isIdPrefix, requireOne } from './ids.ts';
import { operation } from './operation.ts';
import { pageOf } from './pages.ts';
import type { Resource, Tags } from './records.ts';
import type { View, World } from './world.ts';

type TaggedPrefix = Exclude<IdPrefix, 'eni-attach' | 'eipassoc'>;

interface TaggedKind {
  readonly type: ResourceType;
  /** The resource of this id, for a change; answers how to store it with other tags. */
  find(world: World, id: string): { readonly tags: Tags; store(tags: Tags): void } | undefined;
  all(view: View): Iterable<Resource>;
}

function kind<T extends Resource>(
  type: ResourceType,
  table: (view: View) => { get(id: string): T | undefined; values(): Iterable<T> },
  put: (world: World) => (record: T) => void,
): TaggedKind {
  return {
    type,
    find(world, id) {
      const record = table(world).get(id);
      return record && { tags: record.tags, store: (tags) => put(world)({ ...record, tags }) };
    },
    all: (view) => table(view).values(),
  };
}

const kinds: Readonly<Record<TaggedPrefix, TaggedKind>> = {
  i: kind(
    'instance',
    (view) => view.instances,
    (world) => world.putInstance,
  ),
  eni: kind(
    'network-interface',
    (view) => view.enis,
    (world) => world.putEni,
  ),
  vpc: kind(
    'vpc',
    (view) => view.vpcs,
    (world) => world.vpcs.put,
  ),
  subnet: kind(
    'subnet',
    (view) => view.subnets,
    (world) => world.subnets.put,
  ),
  sg: kind(
    'security-group',
    (view) => view.groups,
    (world) => world.groups.put,
  ),
  eipalloc: kind(
    'elastic-ip',
    (view) => view.addresses,
    (world) => world.addresses.put,
  ),
};

export const toTags = (tags: Tags): Tag[] => [...tags].map(([Key, Value]) => ({ Key, Value }));

function fromTags(tags: readonly Tag[]): [string, string][] {
  return tags.map(({ Key: key = '', Value: value = '' }) => {
    if (key === '') throw invalidValue('Tag key cannot be empty');
    if (key.startsWith('aws:')) {
      throw invalidValue(
        `Value ( ${key} ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use`,
      );
    }
    return [key, value];
  });
}

/** The tags for one of the kinds of resource that a call creates; naming another kind is an error. */
export function tagsFor(
  specifications: readonly TagSpecification[] | undefined,
  type: ResourceType,
  created: readonly ResourceType[] = [type],
): Tags {
  const tags = new Map<string, string>();
  for (const { ResourceType: wanted, Tags: given = [] } of specifications ?? []) {
    if (wanted === undefined || !created.includes(wanted)) {
      throw invalidValue(`'${wanted ?? ''}' is not a valid taggable resource type for this operation.`);
    }
    if (wanted !== type) continue;
    for (const [key, value] of fromTags(given)) tags.set(key, value);
  }
  return tags;
}

function taggedResource(world: World, id: string) {
  const prefix = id.slice(0, id.lastIndexOf('-'));
  if (!isIdPrefix(prefix) || !Object.hasOwn(kinds, prefix)) {
    throw new Ec2Error('InvalidID', `The ID '${id}' is not valid`);
  }
  const { find } = kinds[prefix as TaggedPrefix];
  return requireOne(prefix, id, (known) => find(world, known));
}

interface TagItem {
  readonly seq: number;
  readonly id: string;
  readonly type: ResourceType;
  /** This one tag, for the filter `tag:KEY`. */
  readonly tags: Tags;
  readonly key: string;
  readonly value: string;
}

function* allTags(view: View): Iterable<TagItem> {
  // Each tag counts on its own, after those of the resources created before its own.
  for (const { type, all } of Object.values(kinds)) {
    for (const { id, seq, tags } of all(view)) {
      let position = 0;
      for (const [key, value] of tags) {
        yield { seq: seq * 1_000 + position, id, type, tags: new Map([[key, value]]), key, value };
        position += 1;
      }
    }
  }
}

const attributes: Attributes<TagItem> = taggedAttributes({
  key: (tag) => tag.key,
  value: (tag) => tag.value,
  'resource-id': (tag) => tag.id,
  'resource-type': (tag) => tag.type,
});

const toTagDescription = ({ id, type, key, value }: TagItem): TagDescription => ({
  Key: key,
  ResourceId: id,
  ResourceType: type,
  Value: value,
});

export const tagOperations = (world: World) => ({
  CreateTags: operation<CreateTagsRequest, object>()({
    requires: ['Resources', 'Tags'],
    run({ Resources: ids, Tags: tags }) {
      const added = fromTags(tags);
      for (const { tags: old, store } of ids.map((id) => taggedResource(world, id))) {
        store(new Map([...old, ...added]));
      }
      return {};
    },
  }),

  /** A tag given with a value goes only if it has that value; without any tags, all go. */
  DeleteTags: operation<DeleteTagsRequest, object>()({
    requires: ['Resources'],
    accepts: ['Tags'],
    run({ Resources: ids, Tags: doomed }) {
      const isDoomed = (key: string, value: string) =>
        doomed?.some((tag) => tag.Key === key && (tag.Value === undefined || tag.Value === value)) ?? true;
      for (const { tags, store } of ids.map((id) => taggedResource(world, id))) {
        store(new Map([...tags].filter(([key, value]) => !isDoomed(key, value))));
      }
      return {};
    },
  }),

  DescribeTags: operation<DescribeTagsRequest, DescribeTagsResult>()({
    accepts: ['Filters', 'MaxResults', 'NextToken'],
    run({ Filters, ...page }) {
      const chosen = [...allTags(world.view())].filter(matcher(Filters, attributes));
      chosen.sort((a, b) => a.seq - b.seq);
      const { items, ...next } = pageOf(chosen, ({ seq }) => seq, page);
      return { Tags: items.map(toTagDescription), ...next };
    },
  }),
});
