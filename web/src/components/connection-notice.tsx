import type { PageState } from '../model/state.ts';

export function ConnectionNotice({ state: { connection, isLoaded } }: { state: PageState }) {
  if (connection === 'lost') {
    return (
      <p class="notice" role="alert">
        <strong>Connection lost.</strong> Trying again; what you see may be old.
      </p>
    );
  }
  return isLoaded ? null : <p class="quiet">Loading…</p>;
}
