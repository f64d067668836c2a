import uPlot from 'uplot';
import type { TravellerGroup } from '../model/travellers.ts';
import { type ChartContext, frameOptions, lineColor, withAlpha } from './chart-options.ts';

/** Speeds of windows: the mean as a line in the band from the least to the greatest. Columns: max, mean, min. */
export function speedOptions(context: ChartContext): uPlot.Options {
  const line = lineColor(context);
  const edge = { stroke: withAlpha(line, 0.4), width: 1, points: { show: false } };
  return {
    ...frameOptions(context),
    scales: { x: { time: true }, y: { range: fromZero } },
    bands: [{ series: [1, 3], fill: withAlpha(line, 0.16) }],
    series: [{}, edge, { stroke: line, width: 1.5, points: { size: 4, fill: line, filter: alone } }, edge],
  };
}

// Nobody is half there.
const wholeSteps = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000].flatMap((step) => [
  step,
  2 * step,
  5 * step,
]);

/** Counts of windows, as bars. */
export function countOptions(context: ChartContext): uPlot.Options {
  const line = lineColor(context);
  const frame = frameOptions(context);
  const [time, count] = frame.axes!;
  return {
    ...frame,
    axes: [time!, { ...count, incrs: wholeSteps }],
    scales: { x: { time: true }, y: { range: fromZero } },
    series: [
      {},
      {
        stroke: line,
        width: 1,
        fill: withAlpha(line, 0.35),
        paths: uPlot.paths.bars!({ size: [0.9, 40] }),
        points: { show: false },
      },
    ],
  };
}

/** Gives a plot the windows, each at its middle. */
export function drawWindows(
  plot: uPlot,
  { times, windowSeconds }: TravellerGroup,
  columns: (number | null)[][],
): void {
  plot.batch(() => {
    plot.setData([times, ...columns], false);
    plot.setScale('x', { min: times[0]! - windowSeconds / 2, max: times.at(-1)! + windowSeconds / 2 });
  });
}

function fromZero(_plot: uPlot, _low: number | null, high: number | null): [number, number] {
  return [0, (high ?? 0) > 0 ? high! * 1.12 : 1];
}

/** Points with nothing beside them, where there would be no line to see. */
function alone(plot: uPlot, series: number): number[] {
  const values = plot.data[series]!;
  const isEmpty = (index: number) => values[index] === null || values[index] === undefined;
  return [...values.keys()].filter((index) => !isEmpty(index) && isEmpty(index - 1) && isEmpty(index + 1));
}
