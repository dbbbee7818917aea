/** Proves what a sweep publishes, and that every alarm of the stack on it has something to watch. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SweepReport } from '../../shared/app/sweep.ts';
import { publishSweep } from '../../shared/runtime/metrics.ts';

const report: SweepReport = {
  services: 7,
  ready: 4,
  notReady: { 'orders-db': 'NO_STANDBY_LEFT', billing: 'NO_STANDBY_LEFT', mail: 'HOLDER_NOT_HEALTHY' },
  noStandbyLeft: 2,
  openEpisodes: 1,
  oldestEpisodeMs: 42_000,
  oldestNoticeMs: 5_000,
  stranded: 1,
  pausedPastExpiry: 0,
  lookedAt: 5,
  enqueued: 1,
  failed: ['broken'],
  carriedOver: 3,
  unread: ['alarms'],
  canary: 'failed',
};

let written = '';
beforeEach(() => {
  written = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    written += String(chunk);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** The line that is logged for CloudWatch to read. */
function published(given: SweepReport): Record<string, unknown> {
  publishSweep(given, 1_234);
  const lines = written.split('\n').filter((each) => each.includes('"_aws"'));
  return JSON.parse(lines.at(-1) ?? '') as Record<string, unknown>;
}

describe('the metrics of a sweep', () => {
  it('count what it found, for the controller as a whole', () => {
    expect(published(report)).toMatchObject({
      service: 'eni-failover',
      Heartbeat: 1,
      Services: 7,
      Ready: 4,
      NotReady: 3,
      NoStandbyLeft: 2,
      OpenEpisodes: 1,
      Stranded: 1,
      PausedPastExpiry: 0,
      NotLookedAt: 1,
      CarriedOver: 3,
      PagesNotRead: 1,
      CanaryNotSent: 1,
      OldestEpisodeAge: 42_000,
      OldestNoticeAge: 5_000,
      SweepDuration: 1_234,
    });
  });
  it('say nothing of what was sent or was not due', () => {
    expect(published({ ...report, canary: 'sent' })).toMatchObject({ CanaryNotSent: 0 });
    expect(published({ ...report, canary: 'not due' })).toMatchObject({ CanaryNotSent: 0 });
  });
  it('go by the name that the stack gives them, so that two stacks in one Region stay apart', async () => {
    vi.stubEnv('POWERTOOLS_SERVICE_NAME', 'eni-failover-test');
    vi.resetModules();
    const { publishSweep: publishNamed } = await import('../../shared/runtime/metrics.ts');
    publishNamed(report, 1_234);
    expect(written).toContain('"service":"eni-failover-test"');
  });
  it('are what the alarms of the stack watch', () => {
    const template = readFileSync(new URL('../../template.yaml', import.meta.url), 'utf8');
    const watched = [...template.matchAll(/Namespace: EniFailover\n\s+MetricName: (\w+)/g)].map(
      (each) => each[1],
    );
    expect(watched).toContain('NoStandbyLeft');
    const { _aws: about, ...values } = published(report);
    for (const name of watched) expect(values).toHaveProperty(name as string);
    expect(about).toMatchObject({
      CloudWatchMetrics: [{ Namespace: 'EniFailover', Dimensions: [['service']] }],
    });
  });
});
