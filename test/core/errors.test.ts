/** What went wrong at a port, sorted by what the caller can do about it. */
import { describe, expect, it } from 'vitest';
import { type FailureClass, messageOf, PortError } from '../../shared/core/errors.ts';

describe('a failure at a port', () => {
  it.each<[FailureClass, boolean]>([
    ['throttled', true],
    ['unavailable', true],
    ['denied', false],
    ['refused', false],
  ])('that is %s may be tried again: %s', (failure, may) => {
    expect(new PortError(failure, 'Code', 'it said').mayRetry).toBe(may);
  });
  it('says its code and what was said', () => {
    expect(new PortError('denied', 'AccessDenied', 'not you').message).toBe('AccessDenied: not you');
  });
});

describe('the message of what was thrown', () => {
  it("is an error's own", () => {
    expect(messageOf(new Error('it broke'))).toBe('it broke');
  });
  it('is the text of anything else', () => {
    expect(messageOf('it broke')).toBe('it broke');
    expect(messageOf(undefined)).toBe('undefined');
  });
});
