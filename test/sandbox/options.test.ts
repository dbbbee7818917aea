// The sandbox's command line is checked option by option.

import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../sandbox/options.ts';

describe('the options of the sandbox', () => {
  it('have defaults', () => {
    expect(parseOptions([])).toEqual({
      port: 4566,
      templateFile: 'template.yaml',
      parameters: {},
      latency: 'realistic',
      detection: 'instant',
      freeze: false,
    });
  });

  it('are all read', () => {
    const args =
      '--port 0 --template t.yaml --parameter A=1 --parameter B=x=y --dist out --latency realistic --detection realistic --freeze --async-retry-delays 5,10';
    expect(parseOptions(args.split(' '))).toEqual({
      port: 0,
      templateFile: 't.yaml',
      parameters: { A: '1', B: 'x=y' },
      distDir: 'out',
      latency: 'realistic',
      detection: 'realistic',
      freeze: true,
      asyncRetryDelaysMs: [5, 10],
    });
  });

  it.each<[string, string]>([
    ['--port 99999', "--port: '99999' is not a port"],
    ['--port 80x', "--port: '80x' is not a port"],
    ['--latency slow', "--latency: 'slow' is neither"],
    ['--detection never', "--detection: 'never' is neither"],
    ['--async-retry-delays 5,soon', "--async-retry-delays: 'soon' is not"],
    ['--parameter X', "--parameter: 'X' is not NAME=VALUE"],
    ['--unknown', "'--unknown'"],
    ['file', "'file'"],
  ])('are refused as %s', (args, message) => {
    expect(() => parseOptions(args.split(' '))).toThrow(message);
  });
});
