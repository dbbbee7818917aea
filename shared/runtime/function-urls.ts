/** The way to the functions behind URLs, for the command line. Apart from compose.ts: no function needs it. */
import { makeLambdaClient } from '../aws/direct-invocation.ts';
import { type CallUrl, makeCallUrl } from '../aws/function-url.ts';
import { realClock } from './clock.ts';

export type { CallUrl } from '../aws/function-url.ts';

/** Credentials and Region as every AWS tool takes them. */
export const makeUrlCaller = (): CallUrl => makeCallUrl(makeLambdaClient(), realClock);
