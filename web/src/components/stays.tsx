import { formatClock, formatValue } from '../format.ts';
import type { StayJson, TravellersState } from '../model/travellers.ts';
import { Table } from './table.tsx';

/** Who came last, from the first to the last position. */
export function Stays({ state: { stays } }: { state: TravellersState }) {
  if (stays.length === 0) return null;
  return (
    <section id="stays" aria-labelledby="stays-title">
      <div class="section-head">
        <h2 id="stays-title">Latest stays</h2>
      </div>
      <Table columns={['Traveller', 'Type', 'Camera', 'Entry', 'Exit', 'Mean speed']}>
        {stays.map((stay) => (
          <StayRow key={`${stay.sensor}/${stay.type}/${stay.traveller}/${stay.entry}`} stay={stay} />
        ))}
      </Table>
    </section>
  );
}

function StayRow({ stay }: { stay: StayJson }) {
  const { traveller, type, sensor, entry, exit, meanSpeed } = stay;
  return (
    <tr>
      <td class="topic">{traveller}</td>
      <td>{type}</td>
      <td class="topic">{sensor}</td>
      <td class="time" title={entry}>
        {formatClock(Date.parse(entry), Date.now())}
      </td>
      <td class="time" title={exit}>
        {formatClock(Date.parse(exit), Date.now())}
      </td>
      <td class="time">{meanSpeed === null ? '' : `${formatValue(meanSpeed)} m/s`}</td>
    </tr>
  );
}
