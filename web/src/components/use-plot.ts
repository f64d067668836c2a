import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

interface PlotUse {
  /** Read again when the colors of the page change. */
  options: (element: HTMLElement) => uPlot.Options;
  /** Gives the plot its data. */
  draw: (plot: uPlot) => void;
  /** What is drawn is drawn again once this is another. */
  drawnFor: unknown;
}

/** A plot in the element that the answer is the `ref` of, as large as it is. It draws only while it can be seen. */
export function usePlot({ options, draw, drawnFor }: PlotUse): RefObject<HTMLDivElement | null> {
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(null);
  const isVisible = useRef(false);
  const latest = useRef({ options, draw });
  latest.current = { options, draw };

  useEffect(() => {
    const element = holder.current!;
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const create = () => {
      chart.current?.destroy();
      const made = latest.current.options(element);
      chart.current = new uPlot(made, made.series.map(() => []) as unknown as uPlot.AlignedData, element);
      latest.current.draw(chart.current);
    };
    create();
    const resizes = new ResizeObserver(() =>
      chart.current?.setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    resizes.observe(element);
    const sights = new IntersectionObserver(([entry]) => {
      isVisible.current = entry?.isIntersecting === true;
      if (isVisible.current && chart.current) latest.current.draw(chart.current);
    });
    sights.observe(element);
    scheme.addEventListener('change', create);
    return () => {
      scheme.removeEventListener('change', create);
      sights.disconnect();
      resizes.disconnect();
      chart.current?.destroy();
    };
  }, []);

  useEffect(() => {
    if (isVisible.current && chart.current) latest.current.draw(chart.current);
  }, [drawnFor]);

  return holder;
}
