/** What there is to try in the playground, as commands to paste into a second terminal, in order. */

interface Scene {
  readonly endpoint: string;
  readonly folder: string;
  /** The member that has the interfaces of orders-db, and the one that will get them. */
  readonly primary: string;
  readonly standby: string;
}

const cli = (words: string) => `npm run cli -- ${words}`;

/** Commands by what they are for. */
export function steps({ endpoint, folder, primary, standby }: Scene) {
  const body = (fields: object) => `-d '${JSON.stringify(fields)}'`;
  return [
    { why: 'Where everything is, for all that follows', commands: [`export AWS_ENDPOINT_URL=${endpoint}`] },
    {
      why: 'Two services',
      commands: [
        cli(`register ${folder}/orders-db.yaml`),
        cli(`register ${folder}/licences.yaml`),
        cli('status'),
        cli('doctor'),
      ],
    },
    {
      why: 'Break the one that has orders-db, and watch it move (Ctrl-C ends the watching)',
      commands: [
        `curl -X POST ${endpoint}/_sandbox/ec2/impair ${body({ instanceId: primary, check: 'system' })}`,
        cli('watch orders-db'),
      ],
    },
    {
      why: 'What happened, and would it happen again',
      commands: [
        cli(`history --instance ${primary}`),
        cli('show orders-db.1 --verify'),
        cli('explain orders-db'),
        cli('explain orders-db --at 1m'),
      ],
    },
    {
      why: 'It is repaired: say so, and go back',
      commands: [
        `curl -X POST ${endpoint}/_sandbox/ec2/recover ${body({ instanceId: primary })}`,
        cli("ack orders-db --reason 'power supply replaced'"),
        cli(`plan orders-db --to ${primary}`),
        cli(`switchover orders-db --to ${primary} --reason 'back home' --wait`),
      ],
    },
    {
      why: 'Maintenance, and a rehearsal',
      commands: [
        cli("pause licences --for 10m --reason 'kernel upgrade'"),
        cli('explain licences'),
        cli("resume licences --reason 'upgraded'"),
        cli("drill licences --reason 'monthly'"),
        cli("drill licences --move --reason 'monthly, for real'"),
      ],
    },
    {
      why: 'The trail, for others',
      commands: [
        cli('history --since 1h'),
        cli(`history --instance ${standby} --since 1h`),
        cli('export orders-db --format csv'),
      ],
    },
  ];
}

export function tour(scene: Scene): string {
  const parts = steps(scene).map(({ why, commands }) => `# ${why}\n${commands.join('\n')}\n`);
  return [
    `Two services wait to be registered: ${scene.folder}/orders-db.yaml and ${scene.folder}/licences.yaml.`,
    'In another terminal, in this directory:',
    '',
    ...parts,
    'This one stays until you press Ctrl-C.',
    '',
  ].join('\n');
}
