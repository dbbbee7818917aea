/** The two tables of the demo: every interface before and after, and what was expected beside what happened. */
import Table from 'cli-table3';
import type { Account } from './account.ts';
import { type Comparison, labels } from './happened.ts';
import type { InterfaceView } from './identity.ts';
import { type Look, wrapped } from './screen.ts';

/** The library would colour heads and borders by itself, in pipes too; and a line under each row is one too many. */
const plain = {
  style: { head: [], border: [] },
  chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
};
const padding = 2;

const cell = (lines: readonly string[], width: number) =>
  lines.flatMap((line) => wrapped(line, width - padding)).join('\n');

type Rows = readonly (readonly [label: string, of: (view: InterfaceView) => readonly string[]])[];

/** Each row tells what DescribeNetworkInterfaces showed, and whether it is the same. */
export function beforeAndAfter(
  account: Account,
  before: readonly InterfaceView[],
  after: readonly InterfaceView[],
  look: Look,
): string {
  const widths = { label: 17, value: 23, verdict: 8 };
  const rows: Rows = [
    [
      'instance',
      ({ attachment }) =>
        attachment ? [account.nameOf(attachment.instanceId), attachment.instanceId] : ['on nothing'],
    ],
    ['device index', ({ attachment }) => [String(attachment?.deviceIndex ?? '-')]],
    ['MAC address', ({ macAddress }) => [macAddress]],
    ['addresses', ({ privateAddresses }) => [privateAddresses.join(' ')]],
    ['Elastic IPs', ({ elasticIps }) => [elasticIps.join(' ') || 'none']],
    ['security groups', ({ securityGroups }) => securityGroups.map(({ name }) => name)],
    ['source/dest check', ({ sourceDestCheck }) => [sourceDestCheck ? 'on' : 'off']],
  ];
  const tables = account.interfaces.map(({ name, eniId }) => {
    const [was, is] = [before, after].map((views) => views.find((view) => view.eniId === eniId));
    const table = new Table({
      ...plain,
      colWidths: [widths.label + padding, widths.value, widths.value, widths.verdict],
    });
    const titles = [look.paint('bold', name), look.paint('dim', 'before'), look.paint('dim', 'after'), ''];
    table.push(titles);
    table.push(['interface', eniId, is?.eniId ?? '', sameness(was?.eniId === is?.eniId, look)]);
    for (const [label, of] of rows) {
      const [old, now] = [was, is].map((view) => (view ? of(view) : []));
      const isSame = JSON.stringify(old) === JSON.stringify(now);
      const moves = label === 'instance';
      table.push([
        label,
        cell(old ?? [], widths.value),
        cell(now ?? [], widths.value),
        moves && !isSame ? look.paint('cyan', 'moved') : sameness(isSame, look),
      ]);
    }
    return table.toString();
  });
  return tables.join('\n');
}

const sameness = (isSame: boolean, look: Look) =>
  isSame ? look.paint('green', 'same') : look.paint('red', 'OTHER');

export function expectedAndHappened(comparisons: readonly Comparison[], look: Look): string {
  const label = 20;
  const value = Math.floor((Math.min(look.columns, 90) - label - 5 - 5) / 2);
  const table = new Table({
    ...plain,
    head: ['', 'expected', 'happened', ''],
    colWidths: [label, value, value, 5],
  });
  for (const { name, expected, happened, isSame } of comparisons) {
    table.push([
      labels[name],
      cell(expected.split('\n'), value),
      isSame ? cell(happened.split('\n'), value) : look.paint('red', cell(happened.split('\n'), value)),
      isSame ? look.paint('green', '✓') : look.paint('red', '✗'),
    ]);
  }
  return table.toString();
}
