/** The Lambda that operators give their commands to: wiring only. It may not change EC2. */
import type { UrlResponse } from '../../shared/core/url-response.ts';
import { compose } from '../../shared/runtime/compose.ts';
import { allowedBy, parseConfig } from '../../shared/runtime/config.ts';
import { handle } from './handle.ts';

const config = parseConfig(process.env);
const { ports } = compose(config);
const allowed = allowedBy(config);

export const handler = (event: unknown): Promise<UrlResponse> => handle(event, ports, allowed);
