/** Proves how what is declared around a move is put into words. */
import { describe, expect, it } from 'vitest';
import { aroundTheMove } from '../../shared/core/around-the-move.ts';
import { parseDeclaration } from '../../shared/core/service.ts';

function around(more: object) {
  const parsed = parseDeclaration({
    name: 'orders-db',
    interfaces: [{ eni: 'eni-0a1b2c3d4e5f60001', deviceIndex: 1 }],
    members: [{ instance: 'i-0a1b2c3d4e5f60001' }],
    ...more,
  });
  if (parsed.kind === 'invalid') throw new Error(parsed.problems.join('\n'));
  return aroundTheMove(parsed.declaration).map(({ step, what }) => `${step}: ${what}`);
}

describe('what is declared around a move', () => {
  it('is nothing where nothing is declared', () => {
    expect(around({})).toEqual([]);
    expect(around({ policy: { fence: 'none' } })).toEqual([]);
  });
  it('is told in the order in which it comes', () => {
    const undo = { document: 'start-app', on: 'source' };
    expect(
      around({
        policy: { fence: 'stop', fenceTimeout: '90s', onFenceTimeout: 'proceed' },
        hooks: {
          before: [{ document: 'stop-app', on: 'source', onFailure: 'back', undo }],
          after: [
            { document: 'promote', on: 'target', deadline: '2m' },
            { function: 'eni-failover-hook-dns', onFailure: 'proceed' },
          ],
        },
        serving: { alarm: 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:orders-answers', within: '45s' },
      }),
    ).toEqual([
      'fence: a failed source is stopped, within 90s; else proceed',
      'before.0: document stop-app on the source, within 1m; else back',
      'after.0: document promote on the target, within 2m; else page',
      'after.1: function eni-failover-hook-dns, within 1m; else proceed',
      'serving: alarm orders-answers is OK within 45s',
    ]);
  });
  it('names what is asked whether the service answers', () => {
    expect(around({ serving: { check: { document: 'probe', on: 'target' } } })).toEqual([
      'serving: document probe on the target succeeds within 2m',
    ]);
    expect(around({ serving: { check: { function: 'eni-failover-hook-probe' } } })).toEqual([
      'serving: function eni-failover-hook-probe succeeds within 2m',
    ]);
  });
});
