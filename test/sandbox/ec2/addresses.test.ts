/** Private addresses, Elastic IPs, subnets and groups: what an interface carries. */
import { describe, expect, it } from 'vitest';
import { codeOf, makeLab, some } from './lab.ts';

const addressesOf = (lab: ReturnType<typeof makeLab>, eni: string) =>
  lab.look(eni).PrivateIpAddresses?.map(({ PrivateIpAddress }) => PrivateIpAddress);

describe('private addresses', () => {
  it('begin after the four that EC2 keeps', () => {
    const lab = makeLab();
    expect(addressesOf(lab, lab.eni({ SecondaryPrivateIpAddressCount: 1 }))).toEqual([
      '10.0.1.4',
      '10.0.1.5',
    ]);
  });

  it.each([
    ['one in use', '10.0.1.4', 'InvalidIPAddress.InUse'],
    ['one of another subnet', '10.0.2.9', 'InvalidParameterValue'],
    ['one that EC2 keeps', '10.0.1.3', 'InvalidParameterValue'],
    ['the last of the subnet', '10.0.1.255', 'InvalidParameterValue'],
    ['no address at all', '10.0.1.999', 'InvalidParameterValue'],
  ])('are refused: %s', (_what, PrivateIpAddress, code) => {
    const lab = makeLab();
    lab.eni();
    expect(codeOf(() => lab.eni({ PrivateIpAddress }))).toBe(code);
  });

  it('run out, and come back when an interface is deleted', () => {
    const lab = makeLab();
    const SubnetId = lab.subnetIn('a', '10.0.3.0/28');
    const NetworkInterfaceId = lab.eni({ SubnetId, SecondaryPrivateIpAddressCount: 10 });
    expect(codeOf(() => lab.eni({ SubnetId }))).toBe('InsufficientFreeAddressesInSubnet');
    lab.model.execute('DeleteNetworkInterface', { NetworkInterfaceId });
    expect(codeOf(() => lab.eni({ SubnetId }))).toBe('ok');
  });

  it('are assigned and unassigned, but for the primary one', () => {
    const lab = makeLab();
    const NetworkInterfaceId = lab.eni();
    const PrivateIpAddresses = ['10.0.1.77'];
    lab.model.execute('AssignPrivateIpAddresses', { NetworkInterfaceId, PrivateIpAddresses });
    expect(addressesOf(lab, NetworkInterfaceId)).toEqual(['10.0.1.4', '10.0.1.77']);
    lab.model.execute('UnassignPrivateIpAddresses', { NetworkInterfaceId, PrivateIpAddresses });
    expect(addressesOf(lab, NetworkInterfaceId)).toEqual(['10.0.1.4']);
    const primary = { NetworkInterfaceId, PrivateIpAddresses: ['10.0.1.4'] };
    expect(codeOf(() => lab.model.execute('UnassignPrivateIpAddresses', primary))).toBe(
      'InvalidParameterValue',
    );
  });

  it('move to another interface where reassignment is allowed', () => {
    const lab = makeLab();
    const from = lab.eni({ SecondaryPrivateIpAddressCount: 1 });
    const NetworkInterfaceId = lab.eni();
    const input = { NetworkInterfaceId, PrivateIpAddresses: ['10.0.1.5'] };
    expect(codeOf(() => lab.model.execute('AssignPrivateIpAddresses', input))).toBe('InvalidIPAddress.InUse');
    lab.model.execute('AssignPrivateIpAddresses', { ...input, AllowReassignment: true });
    expect([addressesOf(lab, from), addressesOf(lab, NetworkInterfaceId)]).toEqual([
      ['10.0.1.4'],
      ['10.0.1.6', '10.0.1.5'],
    ]);
  });

  it('are no more than the type of the instance allows', () => {
    const lab = makeLab();
    const NetworkInterfaceId = lab.eni();
    lab.attach(NetworkInterfaceId, lab.instance('t3.micro'));
    const input = { NetworkInterfaceId, SecondaryPrivateIpAddressCount: 2 };
    expect(codeOf(() => lab.model.execute('AssignPrivateIpAddresses', input))).toBe(
      'PrivateIpAddressLimitExceeded',
    );
  });

  it('exist in IPv6 where the subnet has a network for them', () => {
    const lab = makeLab();
    const network = lab.model.execute('DescribeVpcs', {}).Vpcs?.[0]?.Ipv6CidrBlockAssociationSet?.[0];
    const Ipv6CidrBlock = some(network?.Ipv6CidrBlock).replace('/56', '/64');
    const created = lab.model.execute('CreateSubnet', {
      VpcId: lab.vpc,
      CidrBlock: '10.0.8.0/24',
      Ipv6CidrBlock,
    });
    const NetworkInterfaceId = lab.eni({ SubnetId: some(created.Subnet?.SubnetId) });
    const assign = lab.model.execute('AssignIpv6Addresses', { NetworkInterfaceId, Ipv6AddressCount: 2 });
    expect(new Set(assign.AssignedIpv6Addresses).size).toBe(2);
    const [first] = some(assign.AssignedIpv6Addresses);
    lab.model.execute('UnassignIpv6Addresses', { NetworkInterfaceId, Ipv6Addresses: [some(first)] });
    expect(lab.look(NetworkInterfaceId).Ipv6Addresses).toHaveLength(1);
    const plain = { NetworkInterfaceId: lab.eni(), Ipv6AddressCount: 1 };
    expect(codeOf(() => lab.model.execute('AssignIpv6Addresses', plain))).toBe('InvalidParameterValue');
  });
});

describe('Elastic IPs', () => {
  it('show on the interface, and go back to the account when it is deleted', () => {
    const lab = makeLab();
    const NetworkInterfaceId = lab.eni();
    const { AllocationId, PublicIp } = lab.model.execute('AllocateAddress', {});
    const { AssociationId } = lab.model.execute('AssociateAddress', { AllocationId, NetworkInterfaceId });
    expect(lab.look(NetworkInterfaceId).Association).toMatchObject({ AllocationId, AssociationId, PublicIp });
    const release = () => lab.model.execute('ReleaseAddress', { AllocationId });
    expect(codeOf(release)).toBe('InvalidIPAddress.InUse');
    lab.model.execute('DeleteNetworkInterface', { NetworkInterfaceId });
    expect(codeOf(release)).toBe('ok');
  });

  it('move to another interface only where reassociation is allowed', () => {
    const lab = makeLab();
    const [first, second] = [lab.eni(), lab.eni()];
    const { AllocationId } = lab.model.execute('AllocateAddress', { Domain: 'vpc' });
    lab.model.execute('AssociateAddress', { AllocationId, NetworkInterfaceId: first });
    const input = { AllocationId, NetworkInterfaceId: second };
    expect(codeOf(() => lab.model.execute('AssociateAddress', input))).toBe('Resource.AlreadyAssociated');
    lab.model.execute('AssociateAddress', { ...input, AllowReassociation: true });
    expect(lab.look(first).Association).toBeUndefined();
    expect(lab.look(second).Association).toMatchObject({ AllocationId });
  });

  it('are disassociated by the association', () => {
    const lab = makeLab();
    const NetworkInterfaceId = lab.eni();
    const { AllocationId } = lab.model.execute('AllocateAddress', {});
    const { AssociationId } = lab.model.execute('AssociateAddress', { AllocationId, NetworkInterfaceId });
    lab.model.execute('DisassociateAddress', { AssociationId });
    expect(lab.look(NetworkInterfaceId).Association).toBeUndefined();
    expect(codeOf(() => lab.model.execute('DisassociateAddress', { AssociationId }))).toBe(
      'InvalidAssociationID.NotFound',
    );
  });
});

describe('networks', () => {
  it.each([
    ['overlaps another', '10.0.1.128/25', 'InvalidSubnet.Conflict'],
    ['lies outside its VPC', '10.1.0.0/24', 'InvalidSubnet.Range'],
    ['is no network', '10.0.3.1/24', 'InvalidSubnet.Range'],
  ])('have no subnet that %s', (_how, cidr, code) => {
    const lab = makeLab();
    expect(codeOf(() => lab.subnetIn('a', cidr))).toBe(code);
  });

  it('give every VPC a default group, which an interface gets where none is named', () => {
    const lab = makeLab();
    expect(lab.look(lab.eni()).Groups).toMatchObject([{ GroupName: 'default' }]);
  });

  it('refuse a group of another VPC', () => {
    const lab = makeLab();
    const { Vpc } = lab.model.execute('CreateVpc', { CidrBlock: '10.7.0.0/16' });
    const group = { GroupName: 'g', Description: 'd', VpcId: Vpc?.VpcId };
    const { GroupId } = lab.model.execute('CreateSecurityGroup', group);
    const NetworkInterfaceId = lab.eni();
    const input = { NetworkInterfaceId, Groups: [some(GroupId)] };
    expect(codeOf(() => lab.model.execute('ModifyNetworkInterfaceAttribute', input))).toBe(
      'InvalidParameter',
    );
    expect(codeOf(() => lab.model.execute('CreateSecurityGroup', group))).toBe('InvalidGroup.Duplicate');
  });

  it('are in three zones', () => {
    const { AvailabilityZones } = makeLab({ region: 'ap-northeast-1' }).model.execute(
      'DescribeAvailabilityZones',
      {},
    );
    expect(AvailabilityZones?.map(({ ZoneName, ZoneId }) => `${ZoneName} ${ZoneId}`)).toEqual([
      'ap-northeast-1a apne1-az1',
      'ap-northeast-1b apne1-az2',
      'ap-northeast-1c apne1-az3',
    ]);
  });
});

describe('ModifyNetworkInterfaceAttribute', () => {
  it('changes one attribute a call', () => {
    const lab = makeLab();
    const NetworkInterfaceId = lab.eni();
    const two = { NetworkInterfaceId, Description: { Value: 'x' }, SourceDestCheck: { Value: false } };
    expect(codeOf(() => lab.model.execute('ModifyNetworkInterfaceAttribute', two))).toBe(
      'InvalidParameterCombination',
    );
    lab.model.execute('ModifyNetworkInterfaceAttribute', { NetworkInterfaceId, Description: { Value: 'x' } });
    expect(lab.look(NetworkInterfaceId)).toMatchObject({ Description: 'x', SourceDestCheck: true });
  });

  it('changes an attachment only by its present id', () => {
    const lab = makeLab();
    const NetworkInterfaceId = lab.eni();
    lab.attach(NetworkInterfaceId, lab.instance());
    const Attachment = { AttachmentId: 'eni-attach-00000000000000000', DeleteOnTermination: true };
    const input = { NetworkInterfaceId, Attachment };
    expect(codeOf(() => lab.model.execute('ModifyNetworkInterfaceAttribute', input))).toBe(
      'InvalidAttachmentID.NotFound',
    );
  });
});
