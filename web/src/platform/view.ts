import { useSyncExternalStore } from 'preact/compat';

export type View = 'sensors' | 'quarantine';

/** The view that the address names: `#/quarantine`, or the sensors. */
export function useView(): View {
  return useSyncExternalStore(onChange, readView);
}

function readView(): View {
  return location.hash === '#/quarantine' ? 'quarantine' : 'sensors';
}

function onChange(listener: () => void): () => void {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
}
