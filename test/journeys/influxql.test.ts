import { expect, it, onTestFinished } from 'vitest';
import { startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';

it('answers InfluxQL about what was acknowledged a moment ago, by MQTT and as line protocol', async () => {
  const platform = await startPlatform({ dataDir: await tempDir() });
  onTestFinished(async () => void (await platform.end('SIGKILL')));
  const query = async (q: string, headers: Record<string, string> = {}): Promise<string> => {
    const parameters = new URLSearchParams({ db: 'tidemark', epoch: 's', q });
    const response = await fetch(`${platform.httpUrl}/query?${parameters}`, { headers });
    return response.text();
  };
  const connection = await RawMqtt.connect(platform.mqttUrl, 'publisher');
  const reading = JSON.stringify({ temperature: 21.5, location: 'lab', note: 'new', time: 1_700_000_000 });
  connection.publish('sensors/s1', reading, { messageId: 1 });
  await connection.until(({ cmd }) => cmd === 'puback');
  connection.end();
  expect(await query('SELECT * FROM readings')).toBe(
    '{"results":[{"statement_id":0,"series":[{"name":"readings","columns":["time","location","note_text","sensor","temperature"],"values":[[1700000000,"lab","new","s1",21.5]]}]}]}\n',
  );
  const body = 'weather,city=x t=1.5,n=3i 1700000000000000000';
  const written = await fetch(`${platform.httpUrl}/write?db=tidemark`, { method: 'POST', body });
  expect(written.status).toBe(204);
  expect(await query('SELECT * FROM weather', { accept: 'text/csv' })).toBe(
    'name,tags,time,city,n,t\nweather,,1700000000,x,3,1.5\n',
  );
  expect(JSON.parse(await query("SHOW MEASUREMENTS WHERE city = 'x'")).results[0].series[0].values).toEqual([
    ['weather'],
  ]);
  expect(await platform.end('SIGTERM')).toBe(0);
});
