import { useState } from 'preact/hooks';
import type { PageState } from '../model/state.ts';
import { readToken } from '../platform/client.ts';

export function TokenForm({ state }: { state: PageState }) {
  const [token, setToken] = useState('');
  const wasRefused = readToken() !== null;
  return (
    <form
      class="token"
      onSubmit={(event) => {
        event.preventDefault();
        state.useToken(token.trim());
      }}
    >
      <h2>API token</h2>
      <p>
        This platform asks for a token; <code>npx tidemark init</code> creates one. It is kept in this tab
        only.
      </p>
      {wasRefused && (
        <p class="refused" role="alert">
          That token was not accepted.
        </p>
      )}
      <label>
        Token
        <input
          type="password"
          autocomplete="off"
          required
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      <button type="submit">Show data</button>
    </form>
  );
}
