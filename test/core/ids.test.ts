/** Ids: one kind cannot pass for another, and an instance's is found in what AWS writes around it. */
import { describe, expect, it } from 'vitest';
import { instanceIdIn } from '../../shared/core/ids.ts';
import { a, data } from './world.ts';

describe('the instance id', () => {
  it.each([
    [a, a],
    ['i-0123abcd', 'i-0123abcd'],
    [`arn:aws:ec2:eu-central-1:123456789012:instance/${a}`, a],
    [`arn:aws:ec2:eu-central-1a::instance/${a}`, a],
  ])('in %s is %s', (text, id) => {
    expect(instanceIdIn(text)).toBe(id);
  });
  it.each(['', data, 'i-123', `${a}/volume`, `arn:aws:ec2:eu-central-1:123456789012:instance/${data}`])(
    'is not found in "%s"',
    (text) => {
      expect(instanceIdIn(text)).toBeUndefined();
    },
  );
});
