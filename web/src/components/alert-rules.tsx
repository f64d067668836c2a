import type { AlertsState, RuleJson } from '../model/alerts.ts';
import { Table } from './table.tsx';

const conditions = ['above', 'below', 'inside', 'outside', 'rate', 'absent', 'stuck', 'quality'];

/** The rules, and how often each would have fired. */
export function AlertRules({ state }: { state: AlertsState }) {
  const { rules, answers, hasMoreRules } = state;
  if (rules.length === 0) return null;
  return (
    <section id="rules" aria-labelledby="rules-title">
      <div class="section-head">
        <h2 id="rules-title">Rules</h2>
        <p class="quiet">What is to be alerted about.</p>
      </div>
      <Table
        columns={['Rule', 'Fires when', 'Severity', 'Changed in', 'Would have fired']}
        isWide
        rest={
          hasMoreRules && (
            <p class="quiet rest">
              There are more; <code>npx tidemark rules</code> lists them all.
            </p>
          )
        }
      >
        {rules.map((rule) => (
          <tr key={rule.id} data-rule={rule.id}>
            <td class="topic">{rule.id}</td>
            <td>{conditionOf(rule)}</td>
            <td>{rule.severity ?? 'warning'}</td>
            <td>{placeOf(rule)}</td>
            <td>
              {answers.get(rule.id) ?? (
                <button type="button" class="link" onClick={() => void state.dryRun(rule)}>
                  How often?
                </button>
              )}
            </td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

/** `humidity above 53.5 for 5s (greenhouse-*)`. */
function conditionOf(rule: RuleJson): string {
  const kind = conditions.find((name) => rule[name] !== undefined) ?? '';
  const condition = `${rule.metric ?? 'anything'} ${kind} ${textOf(rule[kind])}`;
  const held = rule.for === undefined ? '' : ` for ${textOf(rule.for)}`;
  const scope = [rule.sensors, rule.location].filter((one) => one !== undefined).map(textOf);
  return `${condition}${held}${scope.length === 0 ? '' : ` (${scope.join(', ')})`}`;
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(typeof value[0] === 'number' ? ' to ' : ', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Where a rule is changed; the rules of threshold nodes have ids that begin with `flow-`. */
function placeOf({ id, source }: RuleJson): string {
  if (source === 'file') return 'the configuration file';
  return id.startsWith('flow-') ? 'a flow' : 'the API';
}
