import { useState } from 'preact/hooks';
import { ask } from '../platform/client.ts';

interface Trace {
  outcome: string;
  steps: { step: string; status: keyof typeof marks; message: string; hint: string | null }[];
}

const marks = { passed: '✓', warned: '!', stopped: '✗', skipped: '·' };

/** Why is a message not in the chart? Says each step that it would take, without storing it. */
export function TraceForm() {
  const [topic, setTopic] = useState('');
  const [payload, setPayload] = useState('');
  const [trace, setTrace] = useState<Trace>();
  const [fault, setFault] = useState('');
  const follow = async () => {
    const body = JSON.stringify({ topic: topic.trim(), payload });
    const headers = { 'content-type': 'application/json' };
    try {
      const response = await ask('/api/v1/trace', { method: 'POST', headers, body });
      setTrace((await response.json()) as Trace);
      setFault('');
    } catch (error) {
      setTrace(undefined);
      setFault(error instanceof Error && error.message !== '' ? error.message : 'it could not be asked');
    }
  };
  return (
    <details id="trace">
      <summary>Why is my message not there?</summary>
      <form
        class="toolbar"
        onSubmit={(event) => {
          event.preventDefault();
          void follow();
        }}
      >
        <input
          required
          aria-label="Topic"
          placeholder="sensors/kitchen/temperature"
          value={topic}
          onInput={(event) => setTopic(event.currentTarget.value)}
        />
        <input
          aria-label="Payload"
          placeholder="21.5"
          value={payload}
          onInput={(event) => setPayload(event.currentTarget.value)}
        />
        <button type="submit">Follow it</button>
      </form>
      <p class="outcome fault" role="alert">
        {fault}
      </p>
      {trace !== undefined && <Steps trace={trace} />}
    </details>
  );
}

function Steps({ trace: { outcome, steps } }: { trace: Trace }) {
  return (
    <>
      <p class="outcome" role="status">
        It would be {outcome.replaceAll('_', ' ')}.
      </p>
      <dl class="steps">
        {steps.map(({ step, status, message, hint }) => (
          <div key={step} class={status}>
            <dt>
              <span aria-hidden="true">{marks[status]}</span> {step}
            </dt>
            <dd>
              {message}
              {hint !== null && <span class="quiet"> → {hint}</span>}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}
