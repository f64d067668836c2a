import { useState } from 'preact/hooks';
import { formatCount } from '../format.ts';
import type { QuarantineState } from '../model/quarantine.ts';

/** Replays all that match, or discards them once it has asked. */
export function QuarantineActions({ state }: { state: QuarantineState }) {
  const [asksAbout, askAbout] = useState('');
  const { count, isBusy, filter } = state;
  const what = `${filter.reason} ${filter.sensor}`;
  // Another filter means other items: the question is asked anew.
  const isAsking = asksAbout === what;
  const number = formatCount(count);
  const disabled = isBusy || count === 0;
  return (
    <div class="act">
      {isAsking ? (
        <>
          <span>Discard {number} for good?</span>
          <button
            type="button"
            class="bad"
            disabled={disabled}
            onClick={() => {
              askAbout('');
              void state.discardAll();
            }}
          >
            Discard
          </button>
          <button type="button" onClick={() => askAbout('')}>
            Keep
          </button>
        </>
      ) : (
        <>
          <button type="button" disabled={disabled} onClick={() => void state.replayAll()}>
            Replay all {number}
          </button>
          <button type="button" disabled={disabled} onClick={() => askAbout(what)}>
            Discard all {number}…
          </button>
        </>
      )}
    </div>
  );
}
