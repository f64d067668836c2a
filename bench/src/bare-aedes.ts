// Aedes with no work behind it, run as a process of its own: the measure for the acceptance path.
import { createServer } from 'node:net';
import { Aedes } from 'aedes';

const aedes = await Aedes.createBroker();
const server = createServer({ noDelay: true }, aedes.handle);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  process.stdout.write(`${JSON.stringify({ event: 'ready', mqttPort: address.port })}\n`);
});
process.once('SIGTERM', () => process.exit(0));
