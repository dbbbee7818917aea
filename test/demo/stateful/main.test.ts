/** The stateful demo as users run it, end to end, on EC2 that answers at once: with the fence, and without it. */
import { tmpdir } from 'node:os';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Document } from '../../../demo/stateful/document.ts';
import { start } from '../../processes.ts';

const demo = (...args: readonly string[]) => start('demo/stateful/main.ts', args, tmpdir()).ended;

async function documentOf(...args: readonly string[]) {
  const { code, stdout, stderr } = await demo('--json', '--latency', 'instant', '--kill', 'none', ...args);
  if (!stdout.startsWith('{')) throw new Error(`it ended with ${code}: ${stderr}`);
  return { code, document: JSON.parse(stdout) as Document };
}

type Played = Awaited<ReturnType<typeof documentOf>>;

describe('npm run demo:stateful', () => {
  let fenced: Played;
  let unfenced: Played;
  beforeAll(async () => {
    [fenced, unfenced] = await Promise.all([documentOf(), documentOf('--fence', 'none')]);
  });

  it('loses no acknowledged write and leaves the old primary none, in one episode', () => {
    expect(fenced.document).toMatchObject({
      ok: true,
      faults: [],
      outcome: 'COMPLETED',
      episodes: ['COMPLETED'],
      acknowledgedWritesLost: 0,
      writesByOldPrimaryAfterPromotion: 0,
    });
    expect(fenced.document.acknowledgedWrites).toBeGreaterThan(0);
    expect(fenced.code).toBe(0);
  });

  it('splits the dark time of its client into parts that add up to it', () => {
    const { dark } = fenced.document;
    if (dark === null) throw new Error('the client is not answered any more');
    expect(dark.detectionMs + dark.controllerMs + dark.ec2Ms + dark.promotionMs).toBe(dark.totalMs);
    expect(dark.totalMs).toBeGreaterThan(0);
  });

  it('fences, moves, promotes and sees it answer, in this order', () => {
    const way = ['status-check', 'claimed', 'detach', 'attached', 'primary', 'closed', 'notice'];
    const steps = fenced.document.steps.map(({ step }) => step);
    expect([...new Set(steps.filter((step) => way.includes(step)))]).toEqual(way);
    const stages = fenced.document.steps
      .filter(({ detail }) => detail.startsWith('done'))
      .map(({ step }) => step);
    expect(stages).toEqual(['fence', 'promotion', 'serving']);
    expect(fenced.document.notices).toHaveLength(1);
  });

  it('notices the old primary that nobody stops, and what it costs', () => {
    const { document, code } = unfenced;
    expect(document.episodes).toEqual(['COMPLETED']);
    expect(document.writesByOldPrimaryAfterPromotion).toBeGreaterThan(0);
    expect(document.acknowledgedWritesLost).toBeGreaterThan(0);
    expect(document.ok).toBe(false);
    expect(code).toBe(1);
  });

  it('names the kill points that there are when it does not know one', async () => {
    const { code, stdout, stderr } = await demo('--kill', 'nope');
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain("--kill: there is no 'nope'; there are none, at-first-look, ");
  });
});
