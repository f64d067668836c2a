// Loaded into the platform by `node --import`: its wall clock is off by as many milliseconds as the file
// SHIFTED_CLOCK names holds, read when the process starts and at each SIGUSR2. Other clocks are as they are.
import { readFileSync } from 'node:fs';

const realNow = Date.now;
let shiftMs = 0;

function readShift(): void {
  shiftMs = Number(readFileSync(process.env.SHIFTED_CLOCK!, 'utf8'));
}

readShift();
Date.now = () => realNow() + shiftMs;
process.on('SIGUSR2', readShift);
