/** Powertools' logger as the log port: one structured line per step. */
import { Logger } from '@aws-lambda-powertools/logger';
import type { Log } from '../app/ports.ts';

export function makeLogger(): Logger {
  return new Logger({ serviceName: 'eni-failover' });
}

/** The service of a line is the service it is about, not the one that logs. */
export function toLog(logger: Logger): Log {
  const facts = (given: Readonly<Record<string, unknown>> = {}) => {
    const { service, ...rest } = given;
    return service === undefined ? rest : { ...rest, subject: service };
  };
  const write =
    (level: 'info' | 'warn' | 'error'): Log['info'] =>
    (message, given) => {
      try {
        logger[level](message, facts(given));
      } catch {
        logger[level](message, { facts: 'could not be written' });
      }
    };
  return {
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  };
}
