/** What reaches a terminal and what reaches a pipe; and the small readers and parsers of the demo. */
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { parseOptions, UsageError } from '../../demo/options.ts';
import { clipped, makeScreen, wrapped } from '../../demo/screen.ts';
import { beforeAndAfter, expectedAndHappened } from '../../demo/tables.ts';
import { find, itemsAt, parseXml, textAt } from '../../demo/xml.ts';
import { account, ids, plain, view } from './made-up.ts';

function fakeStream(more: { readonly isTTY: boolean; readonly columns?: number }) {
  const written: string[] = [];
  const stream = new Writable({
    write(text: Buffer, _, done) {
      written.push(text.toString());
      done();
    },
  });
  Object.assign(stream, { columns: 80, ...more });
  return { stream: stream as unknown as NodeJS.WriteStream, written };
}

describe('a screen', () => {
  it('writes lines and nothing else into a pipe', () => {
    const { stream, written } = fakeStream({ isTTY: false });
    const screen = makeScreen(stream);
    screen.wait('for something');
    screen.line(screen.paint('red', 'a line'));
    screen.wait();
    expect(written).toEqual(['a line\n']);
  });

  it('shows on a terminal what is being waited for, below the lines, and clears it', () => {
    const { stream, written } = fakeStream({ isTTY: true });
    const screen = makeScreen(stream);
    screen.wait('for something');
    expect(written.join('')).toContain('for something');
    const before = written.length;
    screen.line('a line');
    screen.close();
    const after = written.slice(before);
    expect(after[0]).toBe('\r\x1b[2K');
    expect(after[1]).toBe('a line\n');
    expect(after[2]).toContain('for something');
    expect(after.at(-1)).toBe('\r\x1b[2K\x1b[?25h');
  });

  it('never draws what is waited for wider than the terminal', () => {
    const { stream, written } = fakeStream({ isTTY: true, columns: 40 });
    const screen = makeScreen(stream);
    screen.wait('x'.repeat(200));
    screen.close();
    const drawn = written.join('').match(/x+…/)?.[0] ?? '';
    expect(drawn).toHaveLength(35);
  });
});

describe('text', () => {
  it('wraps at blanks, keeps its indentation, and breaks a word that is too long', () => {
    expect(wrapped('one two three', 8)).toEqual(['one two', 'three']);
    expect(wrapped('  one two three', 9)).toEqual(['  one two', '  three']);
    expect(wrapped('abcdefghij', 4)).toEqual(['abcd', 'efgh', 'ij']);
    expect(wrapped('', 10)).toEqual(['']);
  });

  it('is clipped with a sign', () => {
    expect(clipped('abcdef', 6)).toBe('abcdef');
    expect(clipped('abcdefg', 6)).toBe('abcde…');
  });
});

describe('the tables', () => {
  const before = [view(), view({ eniId: ids.management, elasticIps: [] })];
  const after = before.map((each) => ({
    ...each,
    attachment: { instanceId: ids.second, status: 'attached', deviceIndex: 1, deleteOnTermination: false },
  }));
  const widest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

  it('show that nothing but the instance is another one, in 80 columns', () => {
    const table = beforeAndAfter(account, before, after, plain(80));
    expect(widest(table)).toBeLessThanOrEqual(80);
    expect(table.match(/moved/g)).toHaveLength(2);
    expect(table).not.toContain('OTHER');
    expect(table).toMatch(/instance +│ db-a +│ db-b/);
  });

  it('show what is another one, and what is gone', () => {
    const other = [view({ macAddress: '02:00:00:00:00:99' })];
    expect(beforeAndAfter(account, before, other, plain(80))).toMatch(/MAC address.*OTHER/);
    expect(beforeAndAfter(account, before, [], plain(80))).toContain('OTHER');
  });

  it('put expected and happened side by side, in 80 columns', () => {
    const happened = 'DescribeNetworkInterfaces RequestLimitExceeded ×2';
    const table = expectedAndHappened(
      [
        { name: 'holder', expected: 'db-b', happened: 'db-a', isSame: false },
        { name: 'refusedCalls', expected: happened, happened, isSame: true },
      ],
      plain(80),
    );
    expect(widest(table)).toBeLessThanOrEqual(80);
    expect(table).toMatch(/interfaces rest on │ db-b +│ db-a +│ ✗/);
    expect(table).toMatch(/✓/);
  });
});

describe('the options', () => {
  it('play the main job unless told otherwise', () => {
    expect(parseOptions([])).toMatchObject({
      kind: 'run',
      scenarios: [{ name: 'failover' }],
      latency: 'realistic',
      json: false,
    });
    expect(parseOptions(['--scenario', 'all'])).toMatchObject({ isSeries: true });
  });

  it.each([
    [['--scenario', 'nope'], /there is no 'nope'; there are failover, standby-impaired, .*and all/],
    [['--latency', 'slow'], /'slow' is neither realistic nor instant/],
    [['--frobnicate'], /--frobnicate/],
  ])('refuse %j', (args, message) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
    expect(() => parseOptions(args)).toThrow(message);
  });
});

describe('the XML reader', () => {
  it('reads elements, lists, empty ones and escaped text', () => {
    const xml = parseXml(
      '<?xml version="1.0"?>\n<R xmlns="x"><a>1 &lt; 2 &#38; &#x41;</a><set><item><b>x</b></item><item/></set></R>',
    );
    expect(textAt(xml, 'a')).toBe('1 < 2 & A');
    expect(itemsAt(xml, 'set').map((item) => textAt(item, 'b'))).toEqual(['x', '']);
    expect(find(xml, 'set/none')).toBeUndefined();
  });

  it.each(['<a><b></a>', '<a>', ''])('refuses %j', (text) => {
    expect(() => parseXml(text)).toThrow();
  });
});
