/** What the view of travellers asks for; `''` as sensor, type or window is all, or the one that suits the range. */
export interface TravellersForm {
  sensor: string;
  type: string;
  /** As the API takes times: `now-1h`, or RFC 3339. */
  from: string;
  to: string;
  /** Length of a window, such as `1m`. */
  window: string;
}

/** Ranges that end now. */
export const ranges = [
  { from: 'now-15m', text: 'Last 15 minutes' },
  { from: 'now-1h', text: 'Last hour' },
  { from: 'now-6h', text: 'Last 6 hours' },
  { from: 'now-24h', text: 'Last 24 hours' },
  { from: 'now-7d', text: 'Last 7 days' },
  { from: 'now-30d', text: 'Last 30 days' },
] as const;

export const windowLengths = [
  { length: '10s', seconds: 10, text: '10 seconds' },
  { length: '1m', seconds: 60, text: '1 minute' },
  { length: '5m', seconds: 300, text: '5 minutes' },
  { length: '15m', seconds: 900, text: '15 minutes' },
  { length: '1h', seconds: 3600, text: '1 hour' },
  { length: '6h', seconds: 21_600, text: '6 hours' },
  { length: '1d', seconds: 86_400, text: '1 day' },
  { length: '7d', seconds: 604_800, text: '1 week' },
] as const;

type WindowLength = (typeof windowLengths)[number];

const plain: TravellersForm = { sensor: '', type: '', from: 'now-1h', to: 'now', window: '' };
const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
// A chart has about as many pixels across; and each window is one item for each sensor and type.
const mostWindows = 480;
const suitableWindows = 180;

/** The form that the address keeps behind its question mark. */
export function readForm(query: string): TravellersForm {
  const words = new URLSearchParams(query);
  const entries = Object.entries(plain).map(([name, value]) => [name, words.get(name) ?? value]);
  return Object.fromEntries(entries) as TravellersForm;
}

/** The address of a form, such as `#/travellers?type=car`; what is as usual is left out. */
export function formAddress(form: TravellersForm): string {
  const words = Object.entries(form).filter(([name, value]) => value !== plain[name as keyof TravellersForm]);
  return words.length === 0 ? '#/travellers' : `#/travellers?${new URLSearchParams(words)}`;
}

/** Whether so short windows can be drawn over the whole range. */
export function isOffered(form: TravellersForm, { seconds }: WindowLength): boolean {
  return rangeSeconds(form) / seconds <= mostWindows || seconds === windowLengths.at(-1)!.seconds;
}

/** The length that is asked for: the form's where it can be drawn, else the one that suits the range. */
export function windowOf(form: TravellersForm): WindowLength {
  const named = windowLengths.find(({ length }) => length === form.window);
  if (named !== undefined && isOffered(form, named)) return named;
  const range = rangeSeconds(form);
  const suits = ({ seconds }: WindowLength) => seconds >= 60 && range / seconds <= suitableWindows;
  return windowLengths.find(suits) ?? windowLengths.at(-1)!;
}

/** The range of a form as it is now, in RFC 3339. */
export function rangeNow(form: TravellersForm): { from: string; to: string } {
  const { fromMs, toMs } = timesOf(form);
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
}

function rangeSeconds(form: TravellersForm): number {
  const { fromMs, toMs } = timesOf(form);
  return Math.max(0, toMs - fromMs) / 1000;
}

function timesOf({ from, to }: TravellersForm): { fromMs: number; toMs: number } {
  const nowMs = Date.now();
  return { fromMs: readTime(from, nowMs), toMs: readTime(to, nowMs) };
}

/** What cannot be read is now: the API says what is wrong with it. */
function readTime(time: string, nowMs: number): number {
  const [, amount, unit] = /^now-(\d{1,6})([smhdw])$/.exec(time) ?? [];
  if (amount !== undefined) return nowMs - Number(amount) * unitSeconds[unit!]! * 1000;
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? nowMs : ms;
}
