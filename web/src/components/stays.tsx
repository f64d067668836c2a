import { formatClock, formatValue } from '../format.ts';
import type { StayJson, TravellersState } from '../model/travellers.ts';

/** Who came last, from the first to the last position. */
export function Stays({ state: { stays } }: { state: TravellersState }) {
  if (stays.length === 0) return null;
  return (
    <section id="stays" aria-labelledby="stays-title">
      <div class="section-head">
        <h2 id="stays-title">Latest stays</h2>
      </div>
      <div class="table">
        <table>
          <thead>
            <tr>
              <th scope="col">Traveller</th>
              <th scope="col">Type</th>
              <th scope="col">Camera</th>
              <th scope="col">Entry</th>
              <th scope="col">Exit</th>
              <th scope="col">Mean speed</th>
            </tr>
          </thead>
          <tbody>
            {stays.map((stay) => (
              <StayRow key={`${stay.sensor}/${stay.type}/${stay.traveller}/${stay.entry}`} stay={stay} />
            ))}
          </tbody>
        </table>
      </div>
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
