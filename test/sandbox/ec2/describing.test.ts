/** How EC2 answers questions: ids, filters, pages, and a past that it sometimes still believes in. */
import { describe, expect, it } from 'vitest';
import { codeOf, makeLab, messageOf, some } from './lab.ts';

describe('ids', () => {
  it('fail the whole call if one is unknown, and are all named', () => {
    const lab = makeLab();
    const [gone, alsoGone] = ['eni-00000000000000001', 'eni-00000000000000002'];
    const ask = (NetworkInterfaceIds: string[]) => () =>
      lab.model.execute('DescribeNetworkInterfaces', { NetworkInterfaceIds });
    expect(codeOf(ask([lab.eni(), gone]))).toBe('InvalidNetworkInterfaceID.NotFound');
    expect(messageOf(ask([gone, alsoGone]))).toBe(
      `The networkInterface IDs '${gone}, ${alsoGone}' do not exist`,
    );
  });

  it('are at most 100 in DescribeInstanceStatus', () => {
    const lab = makeLab();
    const InstanceIds = Array.from({ length: 101 }, () => 'i-00000000000000000');
    expect(codeOf(() => lab.model.execute('DescribeInstanceStatus', { InstanceIds }))).toBe(
      'InvalidParameterValue',
    );
  });

  it('exclude a page size', () => {
    const lab = makeLab();
    const input = { InstanceIds: [lab.instance()], MaxResults: 5 };
    expect(codeOf(() => lab.model.execute('DescribeInstances', input))).toBe('InvalidParameterCombination');
  });
});

describe('filters', () => {
  const lab = makeLab();
  const CreateTag = (id: string, Key: string, Value: string) =>
    lab.model.execute('CreateTags', { Resources: [id], Tags: [{ Key, Value }] });
  const front = lab.eni({ Description: 'front side', PrivateIpAddress: '10.0.1.50' });
  const back = lab.eni({ Description: 'back*side', SecondaryPrivateIpAddressCount: 1 });
  const instance = lab.instance();
  lab.attach(back, instance, 3);
  lab.settle();
  CreateTag(front, 'service', 'orders-db');
  CreateTag(back, 'service', 'orders-cache');
  CreateTag(back, 'odd:key', '');
  const secondary = some(lab.look(back).PrivateIpAddresses?.[1]?.PrivateIpAddress);
  const found = (filters: Record<string, string[]>) =>
    lab.model
      .execute('DescribeNetworkInterfaces', {
        Filters: Object.entries(filters).map(([Name, Values]) => ({ Name, Values })),
      })
      .NetworkInterfaces?.map(({ NetworkInterfaceId: id }) =>
        id === front ? 'front' : id === back ? 'back' : 'other',
      );

  it.each<[string, Record<string, string[]>, string[]]>([
    ['by id, where an unknown one is no error', { 'network-interface-id': [front, 'eni-0'] }, ['front']],
    ['by tag', { 'tag:service': ['orders-db'] }, ['front']],
    ['by tag with a wildcard', { 'tag:service': ['orders-*'] }, ['front', 'back']],
    ['by a tag key with a colon', { 'tag:odd:key': [''] }, ['back']],
    ['by tag key', { 'tag-key': ['odd*'] }, ['back']],
    ['by one character', { description: ['fron? side'] }, ['front']],
    ['by a star that is meant', { description: ['back\\*side'] }, ['back']],
    ['with no regular expressions', { description: ['front.side', 'front|back'] }, []],
    ['by several values of which one fits', { description: ['nothing', 'front side'] }, ['front']],
    ['by several filters that all fit', { 'tag:service': ['*'], status: ['in-use'] }, ['back']],
    ['by attachment', { 'attachment.instance-id': [instance], 'attachment.device-index': ['3'] }, ['back']],
    ['by the state of the attachment', { 'attachment.status': ['attached'] }, ['other', 'back'].toSorted()],
    ['by a primary address', { 'private-ip-address': ['10.0.1.50'] }, ['front']],
    ['by a secondary address', { 'addresses.private-ip-address': [secondary] }, ['back']],
    ['by zone', { 'availability-zone': ['us-east-1b'] }, []],
    ['by a boolean', { 'requester-managed': ['false'], 'tag-key': ['*'] }, ['front', 'back']],
  ])('finds %s', (_how, filters, expected) => {
    expect(found(filters)?.toSorted()).toEqual(expected.toSorted());
  });

  it.each(['nonsense', 'tag', 'constructor', 'instance-id'])(
    'refuses the filter %s, which it does not know',
    (name) => {
      expect(messageOf(() => found({ [name]: ['x'] }))).toBe(`The filter '${name}' is invalid`);
    },
  );

  it('has no instance-id filter in DescribeInstanceStatus, as EC2 has none', () => {
    const Filters = [{ Name: 'instance-id', Values: [instance] }];
    expect(codeOf(() => lab.model.execute('DescribeInstanceStatus', { Filters }))).toBe(
      'InvalidParameterValue',
    );
  });

  it('finds tags by what they are on', () => {
    const Filters = [
      { Name: 'resource-type', Values: ['network-interface'] },
      { Name: 'tag:service', Values: ['*db'] },
    ];
    expect(lab.model.execute('DescribeTags', { Filters }).Tags).toEqual([
      { Key: 'service', Value: 'orders-db', ResourceId: front, ResourceType: 'network-interface' },
    ]);
  });
});

describe('pages', () => {
  it('give everything once, though interfaces come and go in between', () => {
    const lab = makeLab();
    const ids = Array.from({ length: 12 }, () => lab.eni());
    const page = (NextToken?: string) =>
      lab.model.execute('DescribeNetworkInterfaces', { MaxResults: 5, NextToken });
    const first = page();
    lab.model.execute('DeleteNetworkInterface', { NetworkInterfaceId: some(ids[0]) });
    const second = page(first.NextToken);
    const third = page(second.NextToken);
    const given = [first, second, third].map(({ NetworkInterfaces = [] }) => NetworkInterfaces.length);
    expect(given).toEqual([5, 5, 2]);
    expect(third.NextToken).toBeUndefined();
  });

  it('end without a token when the last one is full', () => {
    const lab = makeLab();
    for (let count = 0; count < 5; count += 1) lab.eni();
    const { NetworkInterfaces, NextToken } = lab.model.execute('DescribeNetworkInterfaces', {
      MaxResults: 5,
    });
    expect([NetworkInterfaces?.length, NextToken]).toEqual([5, undefined]);
  });

  it.each([{ MaxResults: 4 }, { MaxResults: 1_001 }, { NextToken: 'nonsense' }])('refuse %o', (input) => {
    expect(codeOf(() => makeLab().model.execute('DescribeNetworkInterfaces', input))).toBe(
      'InvalidParameterValue',
    );
  });

  it('come by themselves where EC2 pages instance types', () => {
    const { InstanceTypes, NextToken } = makeLab().model.execute('DescribeInstanceTypes', {});
    expect(InstanceTypes).toHaveLength(100);
    expect(NextToken).toBeDefined();
  });
});

describe('the limits of instance types', () => {
  it('are those of the table, card by card', () => {
    const { InstanceTypes } = makeLab().model.execute('DescribeInstanceTypes', {
      InstanceTypes: ['c6in.32xlarge', 't3.micro'],
    });
    const byName = new Map(InstanceTypes?.map((type) => [type.InstanceType, type.NetworkInfo]));
    expect(byName.get('t3.micro')).toMatchObject({
      MaximumNetworkInterfaces: 2,
      Ipv4AddressesPerInterface: 2,
      Ipv6AddressesPerInterface: 2,
      MaximumNetworkCards: 1,
    });
    expect(byName.get('c6in.32xlarge')?.NetworkCards).toEqual([
      { NetworkCardIndex: 0, MaximumNetworkInterfaces: 8 },
      { NetworkCardIndex: 1, MaximumNetworkInterfaces: 8 },
    ]);
  });

  it('are refused for a type that does not exist', () => {
    const input = { InstanceTypes: ['x9.huge' as 't3.micro'] };
    expect(codeOf(() => makeLab().model.execute('DescribeInstanceTypes', input))).toBe('InvalidInstanceType');
  });
});

describe('eventual consistency', () => {
  /** Draws nothing but the largest lag. */
  const laggingLab = () => makeLab({ random: () => 0.999, consistencyLagMs: 1_000, latency: 'instant' });

  it('shows an attachment as it was before', () => {
    const lab = laggingLab();
    const eni = lab.eni();
    const instance = lab.instance();
    lab.settle();
    lab.attach(eni, instance);
    lab.clock.advance(500);
    expect(lab.states(eni)).toBe('available -');
    lab.clock.advance(500);
    expect(lab.states(eni)).toBe('in-use attached');
  });

  it('does not know yet what was just made, and still knows what was just deleted', () => {
    const lab = laggingLab();
    const eni = lab.eni();
    expect(codeOf(() => lab.look(eni))).toBe('InvalidNetworkInterfaceID.NotFound');
    lab.clock.advance(1_000);
    expect(lab.states(eni)).toBe('available -');
    lab.model.execute('DeleteNetworkInterface', { NetworkInterfaceId: eni });
    expect(lab.states(eni)).toBe('available -');
    const all = () => lab.model.execute('DescribeNetworkInterfaces', {}).NetworkInterfaces?.length;
    expect(all()).toBe(1);
    lab.clock.advance(1_000);
    expect(all()).toBe(0);
  });

  it('does not keep a change from seeing the present', () => {
    const lab = laggingLab();
    const instance = lab.instance();
    const eni = lab.eni();
    lab.attach(eni, instance);
    expect(codeOf(() => lab.attach(eni, instance))).toBe('InvalidNetworkInterface.InUse');
  });

  it('can be switched on and off at any time', () => {
    const lab = makeLab({ random: () => 0.999 });
    lab.model.configure({ consistencyLagMs: 1_000 });
    const eni = lab.eni();
    expect(codeOf(() => lab.look(eni))).toBe('InvalidNetworkInterfaceID.NotFound');
    lab.model.configure({ consistencyLagMs: 0 });
    expect(lab.states(eni)).toBe('available -');
  });
});
