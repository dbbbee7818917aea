/** Proves that the clients of hooks are loaded by the first hook that runs, once, and tried again when that fails. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { HookOrder, Hooks } from '../../shared/app/ports.ts';
import type { InstanceId } from '../../shared/core/ids.ts';
import { lazyHooks } from '../../shared/runtime/hooks.ts';

const { clientsMade, made } = vi.hoisted(() => ({
  clientsMade: vi.fn<(endpoint?: string) => object>(),
  made: vi.fn<(clients: object) => Hooks>(),
}));
vi.mock('../../shared/aws/hook-clients.ts', () => ({ makeHookClients: clientsMade }));
vi.mock('../../shared/aws/hooks.ts', () => ({ makeHooks: made }));

const order: HookOrder = {
  command: {
    kind: 'document',
    name: 'promote-replica',
    parameters: {},
    instance: 'i-0a1b2c3d4e5f60002' as InstanceId,
  },
  token: 'orders-db.7/1/after.0',
  timeoutMs: 60_000,
};
const clients = {};
const run = vi.fn<Hooks['run']>();
beforeEach(() => {
  vi.resetAllMocks();
  clientsMade.mockReturnValue(clients);
  made.mockReturnValue({ run });
  run.mockResolvedValue({ kind: 'done', output: '' });
});

describe('hooks', () => {
  it('load nothing until the first one is run', async () => {
    const hooks = lazyHooks('http://127.0.0.1:4566');
    await Promise.resolve();
    expect(clientsMade).not.toHaveBeenCalled();
    expect(await hooks.run(order)).toStrictEqual({ kind: 'done', output: '' });
    expect(clientsMade).toHaveBeenCalledExactlyOnceWith('http://127.0.0.1:4566');
    expect(made.mock.calls[0]?.[0]).toBe(clients);
    expect(run).toHaveBeenCalledExactlyOnceWith(order);
  });
  it('have their clients once, also when two are run at once', async () => {
    const hooks = lazyHooks();
    await Promise.all([hooks.run(order), hooks.run(order)]);
    await hooks.run(order);
    expect(clientsMade).toHaveBeenCalledExactlyOnceWith(undefined);
    expect(run).toHaveBeenCalledTimes(3);
  });
  it('say so when a load fails, and load again for the next one', async () => {
    const hooks = lazyHooks();
    clientsMade.mockImplementationOnce(() => {
      throw new Error('no Region is set');
    });
    await expect(hooks.run(order)).rejects.toThrow('no Region is set');
    expect(await hooks.run(order)).toStrictEqual({ kind: 'done', output: '' });
    expect(clientsMade).toHaveBeenCalledTimes(2);
  });
  it('do not load again after an answer that failed', async () => {
    const hooks = lazyHooks();
    run.mockRejectedValueOnce(new Error('boom'));
    await expect(hooks.run(order)).rejects.toThrow('boom');
    await hooks.run(order);
    expect(clientsMade).toHaveBeenCalledTimes(1);
  });
});
