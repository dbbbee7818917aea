/** EC2's rules for moving an interface: what it refuses, and the states it goes through. */
import { describe, expect, it } from 'vitest';
import type { Ec2Event } from '../../../sandbox/ec2/model.ts';
import { codeOf, type Lab, makeLab, messageOf, some } from './lab.ts';

describe('the states of an attachment', () => {
  it('goes from attaching to attached while the interface is in use', () => {
    const lab = makeLab();
    const eni = lab.eni();
    const instance = lab.instance();
    expect(lab.states(eni)).toBe('available -');
    lab.attach(eni, instance);
    expect(lab.states(eni)).toBe('in-use attaching');
    lab.clock.advance(999);
    expect(lab.states(eni)).toBe('in-use attaching');
    lab.clock.advance(1_001);
    expect(lab.states(eni)).toBe('in-use attached');
  });

  it('is detaching, and in use, before it is gone and the interface available', () => {
    const lab = makeLab();
    const eni = lab.eni();
    const attachment = lab.attach(eni, lab.instance());
    lab.settle();
    lab.detach(attachment);
    expect(lab.states(eni)).toBe('in-use detaching');
    lab.clock.advance(1_999);
    expect(lab.states(eni)).toBe('in-use detaching');
    lab.clock.advance(1_001);
    expect(lab.states(eni)).toBe('available -');
  });

  it('passes through detaching even without latency', () => {
    const lab = makeLab({ latency: 'instant' });
    const eni = lab.eni();
    const attachment = lab.attach(eni, lab.instance());
    lab.settle();
    lab.detach(attachment);
    expect(lab.states(eni)).toBe('in-use detaching');
    lab.clock.advance(0);
    expect(lab.states(eni)).toBe('available -');
  });

  it('tells listeners of every step, with its time', () => {
    const lab = makeLab();
    const eni = lab.eni();
    const instance = lab.instance();
    const events: Ec2Event[] = [];
    lab.model.onEvent((event) => events.push(event));
    const attachment = lab.attach(eni, instance);
    lab.settle();
    lab.detach(attachment);
    lab.settle();
    expect(events.map((event) => (event.kind === 'attachment' ? event.status : event.kind))).toEqual([
      'attaching',
      'attached',
      'detaching',
      'detached',
    ]);
    expect(events[0]).toMatchObject({ eniId: eni, attachmentId: attachment, instanceId: instance });
    const [, attached, detaching, detached] = events.map(({ atMs }) => atMs);
    expect(some(attached)).toBeLessThan(some(detaching));
    expect(some(detached) - some(detaching)).toBeGreaterThanOrEqual(2_000);
  });

  it('shows the interface on the instance too', () => {
    const lab = makeLab();
    const eni = lab.eni();
    const instance = lab.instance();
    const attachment = lab.attach(eni, instance);
    lab.settle();
    const found = lab.model.execute('DescribeInstances', {
      Filters: [{ Name: 'network-interface.network-interface-id', Values: [eni] }],
    });
    const shown = found.Reservations?.[0]?.Instances?.[0]?.NetworkInterfaces;
    expect(shown?.map(({ Attachment }) => Attachment?.DeviceIndex)).toEqual([0, 1]);
    expect(shown?.[1]?.Attachment).toMatchObject({ AttachmentId: attachment, Status: 'attached' });
  });

  it('leaves a newer attachment alone when an older one is detached', () => {
    const lab = makeLab();
    const eni = lab.eni();
    const instance = lab.instance();
    const older = lab.attach(eni, instance);
    lab.settle();
    lab.detach(older);
    lab.settle();
    lab.attach(eni, instance);
    lab.settle();
    expect(codeOf(() => lab.detach(older))).toBe('InvalidAttachmentID.NotFound');
    expect(lab.states(eni)).toBe('in-use attached');
  });
});

describe('what EC2 refuses', () => {
  const refusals: [fact: string, code: string, attempt: (lab: Lab) => unknown][] = [
    [
      'refuses to attach an interface that is in use',
      'InvalidNetworkInterface.InUse',
      (lab) => {
        const eni = lab.eni();
        lab.attach(eni, lab.instance());
        return () => lab.attach(eni, lab.instance());
      },
    ],
    [
      'refuses to attach an interface that is still detaching',
      'InvalidNetworkInterface.InUse',
      (lab) => {
        const eni = lab.eni();
        const instance = lab.instance();
        const attachment = lab.attach(eni, instance);
        lab.settle();
        lab.detach(attachment);
        return () => lab.attach(eni, instance);
      },
    ],
    [
      'refuses to attach across Availability Zones',
      'InvalidParameterCombination',
      (lab) => {
        const eni = lab.eni({ SubnetId: lab.elsewhere });
        const instance = lab.instance();
        return () => lab.attach(eni, instance);
      },
    ],
    [
      'refuses to detach the primary interface',
      'OperationNotPermitted',
      (lab) => {
        const instance = lab.instance();
        const found = lab.model.execute('DescribeInstances', { InstanceIds: [instance] });
        const primary = found.Reservations?.[0]?.Instances?.[0]?.NetworkInterfaces?.[0];
        return () => lab.detach(some(primary?.Attachment?.AttachmentId), true);
      },
    ],
    [
      'refuses a device index that is taken',
      'InvalidParameterValue',
      (lab) => {
        const instance = lab.instance();
        lab.attach(lab.eni(), instance);
        const eni = lab.eni();
        return () => lab.attach(eni, instance);
      },
    ],
    [
      "refuses more interfaces than the instance's type holds",
      'AttachmentLimitExceeded',
      (lab) => {
        const instance = lab.instance('t3.micro');
        lab.attach(lab.eni(), instance);
        const eni = lab.eni();
        return () => lab.attach(eni, instance, 2);
      },
    ],
    [
      "refuses more addresses than the instance's type holds",
      'PrivateIpAddressLimitExceeded',
      (lab) => {
        const eni = lab.eni({ SecondaryPrivateIpAddressCount: 2 });
        const instance = lab.instance('t3.micro');
        return () => lab.attach(eni, instance);
      },
    ],
    [
      'refuses an instance that is still pending',
      'IncorrectState',
      (lab) => {
        const eni = lab.eni();
        const instance = lab.instance();
        lab.model.execute('StopInstances', { InstanceIds: [instance] });
        lab.settle();
        lab.model.execute('StartInstances', { InstanceIds: [instance] });
        return () => lab.attach(eni, instance);
      },
    ],
    [
      'refuses an instance that is terminated',
      'IncorrectState',
      (lab) => {
        const eni = lab.eni();
        const instance = lab.instance();
        lab.model.execute('TerminateInstances', { InstanceIds: [instance] });
        lab.settle();
        return () => lab.attach(eni, instance);
      },
    ],
    [
      'refuses an interface that does not exist',
      'InvalidNetworkInterfaceID.NotFound',
      (lab) => {
        const instance = lab.instance();
        return () => lab.attach('eni-00000000000000000', instance);
      },
    ],
    [
      'refuses an instance that does not exist',
      'InvalidInstanceID.NotFound',
      (lab) => {
        const eni = lab.eni();
        return () => lab.attach(eni, 'i-00000000000000000');
      },
    ],
    [
      'refuses an id that is malformed',
      'InvalidInstanceID.Malformed',
      (lab) => {
        const eni = lab.eni();
        return () => lab.attach(eni, 'i-nonsense');
      },
    ],
    [
      'refuses a network card that the type does not have',
      'InvalidParameterValue',
      (lab) => {
        const NetworkInterfaceId = lab.eni();
        const InstanceId = lab.instance();
        return () =>
          lab.model.execute('AttachNetworkInterface', {
            NetworkInterfaceId,
            InstanceId,
            DeviceIndex: 1,
            NetworkCardIndex: 1,
          });
      },
    ],
    [
      'refuses to attach an interface of an AWS service',
      'OperationNotPermitted',
      (lab) => {
        const eni = lab.eni();
        lab.model.manage(eni, { by: 'requester', principal: 'amazon-elb' });
        const instance = lab.instance();
        return () => lab.attach(eni, instance);
      },
    ],
    [
      'refuses to detach an interface of an operator',
      'OperationNotPermitted',
      (lab) => {
        const eni = lab.eni();
        const attachment = lab.attach(eni, lab.instance());
        lab.settle();
        lab.model.manage(eni, { by: 'operator', principal: 'service.example' });
        return () => lab.detach(attachment);
      },
    ],
    [
      'refuses to delete an interface that is in use',
      'InvalidParameterValue',
      (lab) => {
        const NetworkInterfaceId = lab.eni();
        lab.attach(NetworkInterfaceId, lab.instance());
        return () => lab.model.execute('DeleteNetworkInterface', { NetworkInterfaceId });
      },
    ],
  ];

  it.each(refusals)('%s', (_fact, code, arrange) => {
    const attempt = arrange(makeLab());
    expect(codeOf(attempt as () => unknown)).toBe(code);
  });

  it("names the taken index in EC2's own words", () => {
    const lab = makeLab();
    const instance = lab.instance();
    lab.attach(lab.eni(), instance);
    const eni = lab.eni();
    expect(messageOf(() => lab.attach(eni, instance))).toBe(
      `Instance '${instance}' already has an interface attached at device index '1'.`,
    );
  });

  it('counts device indexes for each network card', () => {
    const lab = makeLab();
    const InstanceId = lab.instance('p5.48xlarge');
    const attach = (NetworkCardIndex: number) => () =>
      lab.model.execute('AttachNetworkInterface', {
        NetworkInterfaceId: lab.eni(),
        InstanceId,
        DeviceIndex: 1,
        NetworkCardIndex,
      });
    expect([0, 1, 1, 32].map((card) => codeOf(attach(card)))).toEqual([
      'ok',
      'ok',
      'InvalidParameterValue',
      'InvalidParameterValue',
    ]);
  });

  it('attaches to an instance that is stopped', () => {
    const lab = makeLab();
    const instance = lab.instance();
    lab.model.execute('StopInstances', { InstanceIds: [instance] });
    lab.settle();
    const eni = lab.eni();
    lab.attach(eni, instance);
    lab.settle();
    expect(lab.states(eni)).toBe('in-use attached');
  });
});

describe('a guest that does not answer', () => {
  it.each(['system', 'instance'] as const)(
    'keeps a plain detach waiting while its %s check fails',
    (check) => {
      const lab = makeLab();
      const eni = lab.eni();
      const instance = lab.instance();
      const attachment = lab.attach(eni, instance);
      lab.settle();
      lab.model.impair(instance, check);
      lab.detach(attachment);
      lab.settle();
      expect(lab.states(eni)).toBe('in-use detaching');
      lab.model.recover(instance);
      lab.clock.advance(3_000);
      expect(lab.states(eni)).toBe('available -');
    },
  );

  it('lets go when the detach is forced, be it from the start or later', () => {
    const lab = makeLab();
    const [first, second] = [lab.eni(), lab.eni()];
    const instance = lab.instance();
    const attachments = [lab.attach(first, instance, 1), lab.attach(second, instance, 2)];
    lab.settle();
    lab.model.impair(instance, 'system');
    lab.detach(some(attachments[0]), true);
    lab.detach(some(attachments[1]));
    lab.settle();
    expect([lab.states(first), lab.states(second)]).toEqual(['available -', 'in-use detaching']);
    lab.detach(some(attachments[1]), true);
    lab.clock.advance(3_000);
    expect(lab.states(second)).toBe('available -');
  });

  it('lets go when its instance has stopped', () => {
    const lab = makeLab();
    const eni = lab.eni();
    const instance = lab.instance();
    const attachment = lab.attach(eni, instance);
    lab.settle();
    lab.model.impair(instance, 'system');
    lab.detach(attachment);
    lab.settle();
    lab.model.execute('StopInstances', { InstanceIds: [instance], Force: true });
    lab.settle();
    expect(lab.states(eni)).toBe('available -');
  });

  it('does not matter to EBS, whose failure leaves the guest answering', () => {
    const lab = makeLab();
    const eni = lab.eni();
    const instance = lab.instance();
    const attachment = lab.attach(eni, instance);
    lab.settle();
    lab.model.impair(instance, 'ebs');
    lab.detach(attachment);
    lab.settle();
    expect(lab.states(eni)).toBe('available -');
  });

  it('is imitated by an interface that is stuck', () => {
    const lab = makeLab();
    const eni = lab.eni();
    const attachment = lab.attach(eni, lab.instance());
    lab.settle();
    lab.model.stick(eni);
    lab.detach(attachment);
    lab.settle();
    expect(lab.states(eni)).toBe('in-use detaching');
    lab.model.unstick(eni);
    lab.settle();
    expect(lab.states(eni)).toBe('available -');
  });
});

describe('after a forced detach', () => {
  function forced() {
    const lab = makeLab();
    const eni = lab.eni();
    const instance = lab.instance();
    const attachment = lab.attach(eni, instance);
    lab.settle();
    lab.detach(attachment, true);
    lab.settle();
    return { lab, eni, instance };
  }

  it('refuses another interface at the same index until the instance was stopped and started', () => {
    const { lab, instance } = forced();
    const other = lab.eni();
    expect(codeOf(() => lab.attach(other, instance))).toBe('InvalidParameterValue');
    lab.model.execute('StopInstances', { InstanceIds: [instance] });
    lab.settle();
    lab.model.execute('StartInstances', { InstanceIds: [instance] });
    lab.settle();
    expect(codeOf(() => lab.attach(other, instance))).toBe('ok');
  });

  it('takes the same interface back at the same index', () => {
    const { lab, eni, instance } = forced();
    expect(codeOf(() => lab.attach(eni, instance))).toBe('ok');
  });
});

describe('what travels with the interface', () => {
  it('keeps MAC, addresses, Elastic IP, groups and flags', () => {
    const lab = makeLab();
    const eni = lab.eni({ SecondaryPrivateIpAddressCount: 2, Description: 'front' });
    const { AllocationId } = lab.model.execute('AllocateAddress', {});
    lab.model.execute('AssociateAddress', { AllocationId, NetworkInterfaceId: eni });
    const SourceDestCheck = { Value: false };
    lab.model.execute('ModifyNetworkInterfaceAttribute', { NetworkInterfaceId: eni, SourceDestCheck });
    const identity = () => {
      const { Attachment: _, Status: __, ...rest } = lab.look(eni);
      return rest;
    };
    const before = identity();
    const attachment = lab.attach(eni, lab.instance());
    lab.settle();
    expect(identity()).toEqual(before);
    lab.detach(attachment, true);
    lab.settle();
    const standby = lab.instance();
    lab.attach(eni, standby);
    lab.settle();
    expect(identity()).toEqual(before);
    expect(before).toMatchObject({ SourceDestCheck: false, Description: 'front' });
    expect(before.MacAddress).toMatch(/^02(:[0-9a-f]{2}){5}$/);
    expect(before.PrivateIpAddresses).toHaveLength(3);
    expect(lab.model.execute('DescribeAddresses', {}).Addresses?.[0]).toMatchObject({
      NetworkInterfaceId: eni,
      InstanceId: standby,
    });
  });
});

describe('DeleteOnTermination', () => {
  it('is false after an attach and deletes the interface where it was made true', () => {
    const lab = makeLab();
    const [doomed, kept] = [lab.eni(), lab.eni()];
    const instance = lab.instance();
    const AttachmentId = lab.attach(doomed, instance, 1);
    lab.attach(kept, instance, 2);
    lab.settle();
    expect(lab.look(doomed).Attachment?.DeleteOnTermination).toBe(false);
    const Attachment = { AttachmentId, DeleteOnTermination: true };
    lab.model.execute('ModifyNetworkInterfaceAttribute', { NetworkInterfaceId: doomed, Attachment });
    lab.model.execute('TerminateInstances', { InstanceIds: [instance] });
    lab.settle();
    expect(codeOf(() => lab.look(doomed))).toBe('InvalidNetworkInterfaceID.NotFound');
    expect(lab.states(kept)).toBe('available -');
  });

  it('is true for what a launch makes and false for what it is given', () => {
    const lab = makeLab();
    const given = lab.eni();
    const launched = lab.model.execute('RunInstances', {
      ImageId: 'ami-0123456789abcdef0',
      InstanceType: 'm5.large',
      MinCount: 1,
      MaxCount: 1,
      NetworkInterfaces: [
        { DeviceIndex: 0, SubnetId: lab.subnet },
        { DeviceIndex: 1, NetworkInterfaceId: given },
      ],
    });
    const shown = launched.Instances?.[0]?.NetworkInterfaces;
    expect(shown?.map(({ Attachment }) => Attachment?.DeleteOnTermination)).toEqual([true, false]);
  });
});
