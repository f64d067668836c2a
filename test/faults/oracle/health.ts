import { setTimeout as delay } from 'node:timers/promises';

interface Part {
  name: string;
  status: 'pass' | 'fail';
  message: string;
}

/** Polls `/health` until a part has the status, and returns what it says of itself. */
export async function untilHealth(httpUrl: string, name: string, status: Part['status']): Promise<Part> {
  for (;;) {
    const response = await fetch(`${httpUrl}/health`);
    const { checks } = (await response.json()) as { checks: Part[] };
    const part = checks.find((check) => check.name === name && check.status === status);
    if (part) return part;
    await delay(50);
  }
}
