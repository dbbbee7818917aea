// Parses a composite alarm's rule: ALARM(x), OK(x), INSUFFICIENT_DATA(x), TRUE, FALSE, joined by AND, OR, NOT and brackets.

export type StateValue = 'ALARM' | 'OK' | 'INSUFFICIENT_DATA';

export interface AlarmRule {
  /** Names (or ARNs, as written) of the alarms that the rule looks at. */
  children: string[];
  holds(stateOf: (alarm: string) => StateValue | undefined): boolean;
}

export class AlarmRuleError extends Error {}

type Evaluate = AlarmRule['holds'];

export function parseAlarmRule(text: string): AlarmRule {
  const tokens = text.match(/"[^"]*"|[()]|[^\s()"]+/g) ?? [];
  const children: string[] = [];
  let position = 0;
  const next = (): string => {
    const token = tokens[position];
    if (token === undefined) throw new AlarmRuleError(`the rule ends too early: ${text}`);
    position += 1;
    return token;
  };
  const expect = (wanted: string): void => {
    const token = next();
    if (token !== wanted) throw new AlarmRuleError(`expected '${wanted}', found '${token}': ${text}`);
  };

  const either = (): Evaluate => {
    const operands = [both()];
    while (tokens[position] === 'OR') {
      position += 1;
      operands.push(both());
    }
    return (stateOf) => operands.some((holds) => holds(stateOf));
  };
  const both = (): Evaluate => {
    const operands = [single()];
    while (tokens[position] === 'AND') {
      position += 1;
      operands.push(single());
    }
    return (stateOf) => operands.every((holds) => holds(stateOf));
  };
  const single = (): Evaluate => {
    const token = next();
    switch (token) {
      case 'NOT': {
        const operand = single();
        return (stateOf) => !operand(stateOf);
      }
      case '(': {
        const inner = either();
        expect(')');
        return inner;
      }
      case 'TRUE':
        return () => true;
      case 'FALSE':
        return () => false;
      case 'ALARM':
      case 'OK':
      case 'INSUFFICIENT_DATA': {
        expect('(');
        const alarm = next().replaceAll('"', '');
        expect(')');
        children.push(alarm);
        return (stateOf) => stateOf(alarm) === token;
      }
      default:
        throw new AlarmRuleError(`the sandbox does not know '${token}' in an alarm rule: ${text}`);
    }
  };

  const holds = either();
  if (position < tokens.length) throw new AlarmRuleError(`'${tokens[position]}' is left over: ${text}`);
  return { children: [...new Set(children)], holds };
}
