import type { ComponentChildren } from 'preact';
import type { TravellersState } from '../model/travellers.ts';
import {
  isOffered,
  rangeNow,
  ranges,
  type TravellersForm as Values,
  windowLengths,
  windowOf,
} from '../model/travellers-form.ts';

interface Props {
  form: Values;
  state: TravellersState;
  onChange: (form: Values) => void;
}

/** Which sensor, type and range, and how long windows are; each change is an address. */
export function TravellersForm({ form, state, onChange }: Props) {
  const set = (changes: Partial<Values>) => onChange({ ...form, ...changes });
  return (
    <form class="choice" aria-label="Which travellers" onSubmit={(event) => event.preventDefault()}>
      <Choice label="Sensor" value={form.sensor} onChange={(sensor) => set({ sensor })}>
        <option value="">All</option>
        <Names names={state.sensors} chosen={form.sensor} />
      </Choice>
      <Choice label="Type" value={form.type} onChange={(type) => set({ type })}>
        <option value="">All</option>
        <Names names={state.types} chosen={form.type} />
      </Choice>
      <Choice label="Window" value={windowOf(form).length} onChange={(window) => set({ window })}>
        {windowLengths.map((window) => (
          <option key={window.length} value={window.length} disabled={!isOffered(form, window)}>
            {window.text}
          </option>
        ))}
      </Choice>
      <Range form={form} set={set} />
    </form>
  );
}

interface RangeProps {
  form: Values;
  set: (changes: Partial<Values>) => void;
}

function Range({ form, set }: RangeProps) {
  const { from, to } = form;
  const isUsual = to === 'now' && ranges.some((range) => range.from === from);
  const choose = (chosen: string) => {
    if (chosen !== 'times') set({ from: chosen, to: 'now' });
    // The range that was seen last becomes the one to change.
    else set(rangeNow(form));
  };
  return (
    <>
      <Choice label="Range" value={isUsual ? from : 'times'} onChange={choose}>
        {ranges.map((range) => (
          <option key={range.from} value={range.from}>
            {range.text}
          </option>
        ))}
        <option value="times">From … to …</option>
      </Choice>
      {!isUsual && (
        <>
          <Time label="From" time={from} onChange={(time) => set({ from: time })} />
          <Time label="To" time={to} onChange={(time) => set({ to: time })} />
        </>
      )}
    </>
  );
}

interface TimeProps {
  label: string;
  time: string;
  onChange: (time: string) => void;
}

/** A time in this zone; one that is told otherwise, such as `now-2h`, stands beside its field. */
function Time({ label, time, onChange }: TimeProps) {
  const ms = Date.parse(time);
  return (
    <label>
      {label} {Number.isNaN(ms) && <code>{time}</code>}
      <input
        type="datetime-local"
        step="1"
        value={Number.isNaN(ms) ? '' : localText(ms)}
        onChange={({ currentTarget: { value } }) => {
          if (value !== '') onChange(new Date(value).toISOString());
        }}
      />
    </label>
  );
}

/** `2026-03-01T10:00:00` in this zone. */
function localText(ms: number): string {
  return new Date(ms).toLocaleString('sv-SE').replace(' ', 'T');
}

interface ChoiceProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  children: ComponentChildren;
}

function Choice({ label, value, onChange, children }: ChoiceProps) {
  return (
    <label>
      {label}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {children}
      </select>
    </label>
  );
}

/** What there is, and what the address names though it is not there. */
function Names({ names, chosen }: { names: readonly string[]; chosen: string }) {
  const all = chosen === '' || names.includes(chosen) ? names : [chosen, ...names];
  return (
    <>
      {all.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </>
  );
}
