import { useState } from 'preact/hooks';
import type uPlot from 'uplot';
import { formatClock, formatValue } from '../format.ts';
import type { MetricState } from '../model/sensors.ts';
import { chartRange } from '../model/series.ts';
import { chartOptions } from './chart-options.ts';
import { usePlot } from './use-plot.ts';

interface ChartProps {
  label: string;
  metric: MetricState;
  nowMs: number;
}

/** The last minutes of a metric. It draws only while it can be seen. */
export function Chart({ label, metric, nowMs }: ChartProps) {
  const [pointed, setPointed] = useState<number | null>(null);
  const holder = usePlot({
    options: (element) => chartOptions({ element, onPoint: setPointed }),
    draw: (plot) => draw(plot, metric, Date.now()),
    drawnFor: nowMs,
  });
  return (
    <figure class="chart" data-metric-color={metric.color}>
      <div ref={holder} class="plot" role="img" aria-label={describe(label, metric)} />
      {pointed !== null && metric.series.values[pointed] !== undefined && (
        <figcaption aria-hidden="true">
          <b>{formatValue(metric.series.values[pointed])}</b>{' '}
          {formatClock(metric.series.timesMs[pointed]!, nowMs)}
        </figcaption>
      )}
    </figure>
  );
}

function draw(plot: uPlot, { series }: MetricState, nowMs: number): void {
  const { fromMs, toMs } = chartRange(series, nowMs);
  plot.batch(() => {
    plot.setData([series.timesMs.map((timeMs) => timeMs / 1000), series.values], false);
    plot.setScale('x', { min: fromMs / 1000, max: toMs / 1000 });
  });
}

function describe(label: string, { series, value }: MetricState): string {
  if (series.length === 0) return `Chart of ${label}, no points yet`;
  const low = formatValue(Math.min(...series.values));
  const high = formatValue(Math.max(...series.values));
  return `Chart of ${label}: from ${low} to ${high}, now ${formatValue(value)}`;
}
