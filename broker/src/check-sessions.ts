import { readdirSync } from 'node:fs';
import { ClassicLevel } from 'classic-level';
import { DAMAGED, damageOf } from './session-damage.ts';

/**
 * Opens the LevelDB in the folder that is the argument, and reads it from end to end. LevelDB ends the process over
 * some damage: this is the process. Ends with `DAMAGED`, and says why, when the database is damaged; whatever else
 * fails is left for the broker to meet and to tell.
 */
async function check(directory: string): Promise<void> {
  // Without CURRENT, LevelDB would begin anew and remove every table without a word.
  if (!readdirSync(directory).includes('CURRENT')) return tell('its file CURRENT is missing');
  const db = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  try {
    await db.open();
    const entries = db.iterator({ fillCache: false });
    while ((await entries.nextv(1000)).length > 0);
    await db.close();
  } catch (error) {
    const damage = damageOf(error);
    if (damage !== undefined) tell(damage);
  }
}

function tell(reason: string): void {
  console.error(reason);
  process.exitCode = DAMAGED;
}

await check(process.argv[2]!);
