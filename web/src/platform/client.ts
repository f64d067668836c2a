const tokenKey = 'tidemark-token';

/** The server wants a token, or another one. */
export class Unauthorized extends Error {}

/** The token of this tab, or null. */
export function readToken(): string | null {
  return sessionStorage.getItem(tokenKey);
}

export function keepToken(token: string): void {
  sessionStorage.setItem(tokenKey, token);
}

/** Asks the server this page came from; throws `Unauthorized`, or an Error with the problem's detail. */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const token = readToken();
  const headers = new Headers(init.headers);
  if (token !== null) headers.set('authorization', `Bearer ${token}`);
  const response = await fetch(path, { ...init, headers });
  if (response.status === 401) throw new Unauthorized();
  if (!response.ok) throw new Error(await faultOf(response));
  return response;
}

export async function askJson<T>(path: string, init: RequestInit = {}): Promise<T> {
  return (await ask(path, init)).json() as Promise<T>;
}

/** A name as one item of a list parameter. */
export function escapeName(name: string): string {
  return name.replaceAll(',', '\\,');
}

/** The detail of a problem document (RFC 9457), or what there is instead of one. */
async function faultOf(response: Response): Promise<string> {
  const problem = (await response.json().catch(() => ({}))) as { detail?: string };
  return problem.detail ?? `${new URL(response.url).pathname} answered ${response.status}`;
}
