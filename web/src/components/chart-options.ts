import type uPlot from 'uplot';
import { formatValue } from '../format.ts';

export interface ChartContext {
  /** The element drawn into; its styles give size and colors. */
  element: HTMLElement;
  /** Told the index of the point under the pointer. */
  onPoint: (index: number | null) => void;
}

// Seconds between two labels of the time axis.
const minute = 60;
const day = 86_400;
const timeSteps = [
  ...[1, 5, 15, 30],
  ...[1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map((minutes) => minutes * minute),
  ...[1, 2, 7, 14, 30, 90, 365].map((days) => days * day),
];

// A whole number: uPlot scales only the digits before `px`, so 10.5px is half as large on a dense screen.
const axisFont = '11px system-ui, sans-serif';

/** A small line chart: two quiet axes, one line, no legend. */
export function chartOptions(context: ChartContext): uPlot.Options {
  const line = lineColor(context);
  return {
    ...frameOptions(context),
    scales: { x: { time: true }, y: { range: rangeOf } },
    series: [
      {},
      {
        stroke: line,
        width: 1.5,
        fill: (plot) => shade(plot, line),
        points: { size: 4, fill: line },
      },
    ],
  };
}

/** The color of the chart's lines, as the browser resolves it. */
export function lineColor({ element }: ChartContext): string {
  return getComputedStyle(element).color;
}

/** What all charts share: their size, two quiet axes, and a cursor that tells which point it is at. */
export function frameOptions({ element, onPoint }: ChartContext): Omit<uPlot.Options, 'series'> {
  const style = getComputedStyle(element);
  const axis: uPlot.Axis = {
    font: axisFont,
    stroke: style.getPropertyValue('caret-color'),
    grid: { stroke: style.getPropertyValue('outline-color'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: Math.max(1, element.clientWidth),
    height: Math.max(1, element.clientHeight),
    padding: [6, 14, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6, fill: style.color } },
    axes: [
      { ...axis, size: 18, gap: 3, space: 54, incrs: timeSteps, values: (_plot, splits) => clocks(splits) },
      {
        ...axis,
        size: 44,
        gap: 5,
        space: 18,
        values: (_plot, splits) => splits.map((split) => formatValue(split)),
      },
    ],
    hooks: { setCursor: [(plot) => onPoint(plot.cursor.idx ?? null)] },
  };
}

/** A little air above and below; a constant lies in the middle. */
function rangeOf(_plot: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const span = high - low || Math.max(Math.abs(high) * 0.02, 1e-9);
  return [low - span * 0.12, high + span * 0.12];
}

/** Times as hours and minutes, with seconds where labels are closer, or dates where the chart spans days. */
function clocks(splits: readonly number[]): string[] {
  const isLong = (splits.at(-1) ?? 0) - (splits[0] ?? 0) > day;
  const length = splits.every((split) => split % minute === 0) ? 'hh:mm'.length : 'hh:mm:ss'.length;
  return splits.map((split) => {
    const date = new Date(split * 1000);
    return isLong
      ? date.toLocaleDateString('sv-SE').slice(5)
      : date.toLocaleTimeString('en-GB').slice(0, length);
  });
}

function shade(plot: uPlot, color: string): CanvasGradient | string {
  const { top, height } = plot.bbox;
  if (!Number.isFinite(top) || height <= 0) return 'transparent';
  const gradient = plot.ctx.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(0, withAlpha(color, 0.16));
  gradient.addColorStop(1, withAlpha(color, 0));
  return gradient;
}

export function withAlpha(color: string, alpha: number): string {
  return color.replace(/^rgb\((.+)\)$/, `rgba($1, ${alpha})`);
}
