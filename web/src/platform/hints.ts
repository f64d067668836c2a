/** What the server wrote into the page about itself; empty where it has nothing to say. */
export function readHint(name: 'mqtt-port' | 'access'): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="tidemark-${name}"]`)?.content ?? '';
}
