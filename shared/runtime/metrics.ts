/** The sweep's report as CloudWatch metrics, in the embedded metric format: no call, one log line. */
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { SweepReport } from '../app/sweep.ts';

/** Each stack's own: the heartbeat of one must not keep the alarm of another quiet. */
const stack = process.env['POWERTOOLS_SERVICE_NAME'] ?? 'eni-failover';
const metrics = new Metrics({ namespace: 'EniFailover', serviceName: stack });

/** `Heartbeat` is what the alarm on the controller itself waits for: no data means that nobody is looking. */
export function publishSweep(report: SweepReport, tookMs: number): void {
  const counts = {
    Heartbeat: 1,
    Services: report.services,
    Ready: report.ready,
    NotReady: Object.keys(report.notReady).length,
    NoStandbyLeft: report.noStandbyLeft,
    OpenEpisodes: report.openEpisodes,
    Stranded: report.stranded,
    PausedPastExpiry: report.pausedPastExpiry,
    NotLookedAt: report.failed.length,
    CarriedOver: report.carriedOver,
    PagesNotRead: report.unread.length,
    CanaryNotSent: report.canary === 'failed' ? 1 : 0,
  };
  for (const [name, value] of Object.entries(counts)) metrics.addMetric(name, MetricUnit.Count, value);
  metrics.addMetric('OldestEpisodeAge', MetricUnit.Milliseconds, report.oldestEpisodeMs);
  metrics.addMetric('OldestNoticeAge', MetricUnit.Milliseconds, report.oldestNoticeMs);
  metrics.addMetric('SweepDuration', MetricUnit.Milliseconds, tookMs);
  // Which services and why is in the sweep's log line: here it could make the line too long to count.
  metrics.publishStoredMetrics();
}
