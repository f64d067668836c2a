import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';

const REQUESTS = 4;

interface Posting {
  url: string;
  token: string;
  batches: Iterable<Buffer>;
}

/** Posts line protocol, four requests at a time; rejects when one is not answered by 204. */
export async function postBatches({
  url,
  token,
  batches,
}: Posting): Promise<{ seconds: number; p99Ms: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: REQUESTS });
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  const waiting = batches[Symbol.iterator]();
  const headers = { authorization: `Token ${token}` };
  await Promise.all(
    Array.from({ length: REQUESTS }, async () => {
      for (let next = waiting.next(); next.done !== true; next = waiting.next()) {
        const sentMs = performance.now();
        await post(next.value, { url, agent, headers });
        latenciesMs.push(performance.now() - sentMs);
      }
    }),
  );
  const seconds = (performance.now() - startMs) / 1000;
  agent.destroy();
  latenciesMs.sort((a, b) => a - b);
  return { seconds, p99Ms: latenciesMs[Math.floor(latenciesMs.length * 0.99)]! };
}

interface To {
  url: string;
  agent: Agent;
  headers: Record<string, string>;
}

function post(body: Buffer, { url, agent, headers }: To): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', agent, headers: { ...headers, 'content-length': body.length } };
    const sent = request(url, options, async (response) => {
      const answer = await text(response);
      if (response.statusCode === 204) resolve();
      else reject(new Error(`${response.statusCode}: ${answer.slice(0, 300)}`));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
