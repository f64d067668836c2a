import { useState } from 'preact/hooks';
import type { AlertAction, AlertsState } from '../model/alerts.ts';

interface Props {
  id: string;
  action: AlertAction;
  state: AlertsState;
  onDone: () => void;
}

const nameKey = 'tidemark-name';
const durations = ['1h', '8h', '1d', '7d'];
const texts: Record<AlertAction, string> = {
  ack: 'Acknowledge',
  silence: 'Silence',
  resolve: 'Resolve by hand',
};

/** Asks who does it and why, and does it. The name is remembered on this computer. */
export function AlertForm({ id, action, state, onDone }: Props) {
  const [by, setBy] = useState(localStorage.getItem(nameKey) ?? '');
  const [comment, setComment] = useState('');
  const [duration, setDuration] = useState(durations[0]!);
  const submit = async () => {
    localStorage.setItem(nameKey, by.trim());
    const words = {
      ...(by.trim() && { by: by.trim() }),
      ...(comment.trim() && { comment: comment.trim() }),
      ...(action === 'silence' && { until: `now+${duration}` }),
    };
    if (await state.act(id, action, words)) onDone();
  };
  return (
    <form
      class="act"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <input
        aria-label="Your name"
        placeholder="Your name"
        maxLength={200}
        value={by}
        onInput={(event) => setBy(event.currentTarget.value)}
      />
      <input
        class="comment"
        aria-label="Comment"
        placeholder="Comment"
        maxLength={1000}
        value={comment}
        onInput={(event) => setComment(event.currentTarget.value)}
      />
      {action === 'silence' && (
        <label>
          for{' '}
          <select value={duration} onChange={(event) => setDuration(event.currentTarget.value)}>
            {durations.map((text) => (
              <option key={text}>{text}</option>
            ))}
          </select>
        </label>
      )}
      <button type="submit" disabled={state.isBusy}>
        {texts[action]}
      </button>
    </form>
  );
}
