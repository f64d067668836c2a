import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { formatClock, formatValue } from '../format.ts';
import type { MetricState } from '../model/sensors.ts';
import { chartRange } from '../model/series.ts';
import { chartOptions } from './chart-options.ts';

interface ChartProps {
  label: string;
  metric: MetricState;
  nowMs: number;
}

/** The last minutes of a metric. It draws only while it can be seen. */
export function Chart({ label, metric, nowMs }: ChartProps) {
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(null);
  const isVisible = useRef(false);
  const [pointed, setPointed] = useState<number | null>(null);

  useEffect(() => {
    const element = holder.current!;
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const create = () => {
      chart.current?.destroy();
      chart.current = new uPlot(chartOptions({ element, onPoint: setPointed }), [[], []], element);
      draw(chart.current, metric, Date.now());
    };
    create();
    const resizes = new ResizeObserver(() =>
      chart.current?.setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    resizes.observe(element);
    const sights = new IntersectionObserver(([entry]) => {
      isVisible.current = entry?.isIntersecting === true;
      if (isVisible.current && chart.current) draw(chart.current, metric, Date.now());
    });
    sights.observe(element);
    scheme.addEventListener('change', create);
    return () => {
      scheme.removeEventListener('change', create);
      sights.disconnect();
      resizes.disconnect();
      chart.current?.destroy();
    };
  }, [metric]);

  useEffect(() => {
    if (isVisible.current && chart.current) draw(chart.current, metric, nowMs);
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
