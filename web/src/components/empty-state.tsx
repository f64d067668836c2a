import { readToken } from '../platform/client.ts';
import { readHint } from '../platform/hints.ts';
import { CopyLine } from './copy-line.tsx';

export function EmptyState() {
  const mqttPort = readHint('mqtt-port');
  const needsToken = readToken() !== null;
  const user = needsToken ? ' -u USER -P PASSWORD' : '';
  const token = needsToken ? " -H 'authorization: Bearer TOKEN'" : '';
  return (
    <section class="empty" aria-labelledby="empty-title">
      <h2 id="empty-title">No readings yet</h2>
      <p>Publish one, and its sensor appears here by itself.</p>
      {mqttPort !== '' && (
        <CopyLine
          label="By MQTT"
          line={`mosquitto_pub -h ${location.hostname} -p ${mqttPort}${user} -q 1 -t sensors/greenhouse-1/temperature -m 21.5`}
        />
      )}
      <CopyLine
        label="By HTTP"
        line={`curl ${location.origin}/api/v1/readings${token} -H 'content-type: application/json' -d '{"sensor": "greenhouse-1", "temperature": 21.5}'`}
      />
    </section>
  );
}
