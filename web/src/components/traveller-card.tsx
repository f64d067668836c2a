import { useState } from 'preact/hooks';
import { formatClock, formatCount, formatValue } from '../format.ts';
import type { TravellerGroup } from '../model/travellers.ts';
import { countOptions, drawWindows, speedOptions } from './traveller-chart-options.ts';
import { usePlot } from './use-plot.ts';

interface Props {
  group: TravellerGroup;
}

/** Speed and count of one type at one sensor, window by window. */
export function TravellerCard({ group }: Props) {
  const { sensor, type } = group;
  return (
    <article class="card" aria-label={`${type} at ${sensor}`}>
      <header class="card-head">
        <h3 title={sensor}>{sensor}</h3>
        <span class="location">{type}</span>
      </header>
      <Speed group={group} />
      <Count group={group} />
    </article>
  );
}

function Speed({ group }: Props) {
  const { minSpeed, meanSpeed, maxSpeed } = group;
  const [pointed, setPointed] = useState<number | null>(null);
  const holder = usePlot({
    options: (element) => speedOptions({ element, onPoint: setPointed }),
    draw: (plot) => drawWindows(plot, group, [maxSpeed, meanSpeed, minSpeed]),
    drawnFor: group,
  });
  const last = meanSpeed.findLastIndex((speed) => speed !== null);
  return (
    <div class="metric" data-metric="speed">
      <div class="reading">
        <span class="name">speed, m/s</span>
        <output class="value">{last < 0 ? '–' : formatValue(meanSpeed[last]!)}</output>
        {last >= 0 && <span class="age">{spreadOf(group, last)}</span>}
      </div>
      <figure class="chart" data-metric-color="0">
        <div ref={holder} class="plot" role="img" aria-label={describeSpeed(group)} />
        {pointed !== null && typeof meanSpeed[pointed] === 'number' && (
          <figcaption aria-hidden="true">
            <b>{formatValue(meanSpeed[pointed])}</b> {spreadOf(group, pointed)} · {startOf(group, pointed)}
          </figcaption>
        )}
      </figure>
    </div>
  );
}

function Count({ group }: Props) {
  const { count } = group;
  const [pointed, setPointed] = useState<number | null>(null);
  const holder = usePlot({
    options: (element) => countOptions({ element, onPoint: setPointed }),
    draw: (plot) => drawWindows(plot, group, [count]),
    drawnFor: group,
  });
  const most = formatCount(Math.max(...count));
  return (
    <div class="metric" data-metric="count">
      <div class="reading">
        <span class="name">travellers</span>
        <output class="value">{formatCount(count.at(-1)!)}</output>
        <span class="age">at most {most}</span>
      </div>
      <figure class="chart" data-metric-color="2">
        <div
          ref={holder}
          class="plot"
          role="img"
          aria-label={`Chart of ${group.type} at ${group.sensor}: at most ${most} in a window`}
        />
        {pointed !== null && count[pointed] !== undefined && (
          <figcaption aria-hidden="true">
            <b>{formatCount(count[pointed])}</b> {startOf(group, pointed)}
          </figcaption>
        )}
      </figure>
    </div>
  );
}

/** The least and the greatest speed of a window that has one. */
function spreadOf({ minSpeed, maxSpeed }: TravellerGroup, index: number): string {
  return `${formatValue(minSpeed[index]!)}–${formatValue(maxSpeed[index]!)}`;
}

/** When a window begins. */
function startOf({ times, windowSeconds }: TravellerGroup, index: number): string {
  return formatClock((times[index]! - windowSeconds / 2) * 1000, Date.now());
}

function describeSpeed({ sensor, type, minSpeed, maxSpeed }: TravellerGroup): string {
  const label = `Chart of the speed of ${type} at ${sensor}`;
  const isSpeed = (speed: number | null) => speed !== null;
  const least = minSpeed.filter(isSpeed);
  if (least.length === 0) return `${label}: no speed yet`;
  const low = formatValue(Math.min(...least));
  const high = formatValue(Math.max(...maxSpeed.filter(isSpeed)));
  return `${label}: from ${low} to ${high} m/s`;
}
