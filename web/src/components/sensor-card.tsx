import { useState } from 'preact/hooks';
import { formatAge, formatClock, formatValue } from '../format.ts';
import { type MetricState, type SensorState, sortedMetrics } from '../model/sensors.ts';
import { Chart } from './chart.tsx';

const metricsAtOnce = 4;
const freshMs = 15_000;

export function SensorCard({ sensor, nowMs }: { sensor: SensorState; nowMs: number }) {
  const [showsAll, setShowsAll] = useState(false);
  const metrics = sortedMetrics(sensor);
  const shown = showsAll ? metrics : metrics.slice(0, metricsAtOnce);
  const isFresh = Math.abs(nowMs - sensor.lastMs) < freshMs;
  return (
    <article class="card" aria-label={`Sensor ${sensor.id}`} data-sensor={sensor.id}>
      <header class="card-head">
        <h3 title={sensor.id}>{sensor.id}</h3>
        {sensor.location !== null && <span class="location">{sensor.location}</span>}
        <span class="age" title={formatClock(sensor.lastMs, nowMs)}>
          <i class="dot age-dot" data-fresh={isFresh} aria-hidden="true" />
          {formatAge(sensor.lastMs, nowMs)}
        </span>
      </header>
      {shown.map((metric) => (
        <Metric key={metric.name} metric={metric} sensor={sensor} nowMs={nowMs} />
      ))}
      {metrics.length > metricsAtOnce && (
        <button type="button" class="link" onClick={() => setShowsAll(!showsAll)} aria-expanded={showsAll}>
          {showsAll ? 'Show fewer' : `Show ${metrics.length - metricsAtOnce} more`}
        </button>
      )}
    </article>
  );
}

interface MetricProps {
  metric: MetricState;
  sensor: SensorState;
  nowMs: number;
}

function Metric({ metric, sensor, nowMs }: MetricProps) {
  const isNumeric = typeof metric.value === 'number';
  // One sensor's metrics usually come together; only one that lags says so itself.
  const isBehind = sensor.lastMs - metric.timeMs > freshMs;
  return (
    <div class="metric" data-metric={metric.name}>
      <div class="reading">
        <span class="name" title={metric.name}>
          {metric.name}
        </span>
        <output class={isNumeric ? 'value' : 'value text'}>{formatValue(metric.value)}</output>
        {isBehind && <span class="age">{formatAge(metric.timeMs, nowMs)}</span>}
      </div>
      {isNumeric && <Chart label={`${metric.name} of ${sensor.id}`} metric={metric} nowMs={nowMs} />}
    </div>
  );
}
