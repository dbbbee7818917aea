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
  return {
    info: (message, given) => logger.info(message, facts(given)),
    warn: (message, given) => logger.warn(message, facts(given)),
    error: (message, given) => logger.error(message, facts(given)),
  };
}
