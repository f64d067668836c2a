import type { IConnackPacket } from 'mqtt-packet';

// MQTT 3.1.1 section 3.2.2.3 and MQTT 5 section 3.2.2.2: those that say what to do; others are told by their number.
const reasons311: Record<number, string> = {
  1: 'it does not speak this version of MQTT: set TIDEMARK_MQTT_VERSION',
  2: 'it refuses the client id: set TIDEMARK_MQTT_CLIENT_ID',
  3: 'it is not available',
  4: 'it refuses the user name or password of TIDEMARK_MQTT_URL',
  5: 'it lets nobody in like this: TIDEMARK_MQTT_URL needs a user name and password, or rights',
};

const reasons5: Record<number, string> = {
  132: reasons311[1]!,
  133: reasons311[2]!,
  134: reasons311[4]!,
  135: reasons311[5]!,
  136: reasons311[3]!,
  137: 'it is busy',
  138: 'it has banned this client',
};

/** Why the broker refuses the connection, for a person; undefined when it takes it. */
export function refusalOfConnect(
  { returnCode, reasonCode }: IConnackPacket,
  version: 4 | 5,
): string | undefined {
  const code = reasonCode ?? returnCode ?? 0;
  if (code === 0) return undefined;
  // A broker that knows no MQTT 5 answers as 3.1.1 says.
  const reason = (version === 5 ? reasons5[code] : undefined) ?? reasons311[code];
  return `the broker refuses the connection (code ${code})${reason === undefined ? '' : `: ${reason}`}`;
}

/** Why the broker ended a connection: MQTT 5 section 3.14.2.1. */
export function reasonOfDisconnect(code: number): string {
  const takenOver = 142;
  const why =
    code === takenOver ? ': another client has the same client id, see TIDEMARK_MQTT_CLIENT_ID' : '';
  return `the broker ended the connection (code ${code})${why}`;
}
