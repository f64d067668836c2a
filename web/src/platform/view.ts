import { useSyncExternalStore } from 'preact/compat';

const views = ['alerts', 'quarantine', 'services'] as const;
export type View = 'sensors' | (typeof views)[number];

/** The view that the address names, such as `#/quarantine`; else the sensors. */
export function useView(): View {
  return useSyncExternalStore(onChange, readView);
}

function readView(): View {
  return views.find((view) => location.hash === `#/${view}`) ?? 'sensors';
}

function onChange(listener: () => void): () => void {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
}
