import { useSyncExternalStore } from 'preact/compat';

const views = ['alerts', 'quarantine', 'services', 'travellers'] as const;
export type View = 'sensors' | (typeof views)[number];

/** The view that the address names, such as `#/quarantine` or `#/travellers?type=car`; else the sensors. */
export function useView(): View {
  return useSyncExternalStore(onChange, readView);
}

function readView(): View {
  const [path] = location.hash.split('?');
  return views.find((view) => path === `#/${view}`) ?? 'sensors';
}

/** What stands behind the view's name in the address, from the question mark on. */
export function useViewQuery(): string {
  return useSyncExternalStore(onChange, () => /\?.*$/.exec(location.hash)?.[0] ?? '');
}

function onChange(listener: () => void): () => void {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
}
