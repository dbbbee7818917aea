// A composite alarm's rule reads as CloudWatch documents it.

import { describe, expect, it } from 'vitest';
import { parseAlarmRule, type StateValue } from '../../../sandbox/cloudwatch/alarm-rule.ts';

const STATES: Record<string, StateValue> = { bad: 'ALARM', good: 'OK', new: 'INSUFFICIENT_DATA' };

describe('an alarm rule', () => {
  it.each<[string, boolean]>([
    ['ALARM(bad)', true],
    ['ALARM("bad")', true],
    ['ALARM(good)', false],
    ['OK(good)', true],
    ['INSUFFICIENT_DATA(new)', true],
    ['NOT ALARM(good)', true],
    ['ALARM(good) OR ALARM(bad)', true],
    ['ALARM(bad) AND OK(bad)', false],
    ['ALARM(bad) OR ALARM(good) AND ALARM(good)', true],
    ['(ALARM(bad) OR ALARM(good)) AND ALARM(good)', false],
    ['NOT (ALARM(good) OR ALARM(new))', true],
    ['TRUE AND NOT FALSE', true],
    ['ALARM(missing)', false],
  ])('%s', (rule, expected) => {
    expect(parseAlarmRule(rule).holds((alarm) => STATES[alarm])).toBe(expected);
  });

  it('names its children once each', () => {
    expect(parseAlarmRule('ALARM(a) OR OK("b c") AND NOT ALARM(a)').children).toEqual(['a', 'b c']);
  });

  it.each(['', 'ALARM', 'ALARM(a', 'ALARM(a) ALARM(b)', 'BROKEN(a)', '(ALARM(a)'])(
    'is refused as %s',
    (rule) => {
      expect(() => parseAlarmRule(rule)).toThrow();
    },
  );
});
