import type { Dashboard, Panel, Series, Target, View } from '@tidemark/grafana/testing';

export type Answers = ReadonlyMap<Target, Series[]>;

const CELL_WIDTH = 56;
const CELL_HEIGHT = 34;
const colors = ['#5794f2', '#73bf69', '#ff9830', '#b877d9', '#f2495c', '#fade2a', '#8ab8ff', '#96d98d'];
const style = `body{margin:0;background:#111217;color:#ccccdc;font:13px sans-serif}h1{font-size:18px;margin:12px 16px}
section{position:absolute;box-sizing:border-box;padding:8px;border:1px solid #2c3235;background:#181b1f;overflow:hidden}
h2{font-size:13px;margin:0 0 6px}.big{font-size:34px;color:#73bf69;text-align:center}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:3px 8px;border-bottom:1px solid #2c3235;white-space:nowrap}small{color:#9fa7b3;margin-right:10px}
p{color:#9fa7b3;text-align:center}.bar{height:12px;background:#5794f2}svg{overflow:visible}`;

/** A dashboard as a page of its own: each panel at its place, drawn roughly from what its targets brought. */
export function drawDashboard({ json, panels }: Dashboard, answers: Answers, view: View): string {
  const drawn = panels.map((panel) => {
    const { x, y, w, h } = panel.gridPos;
    const box = `left:${8 + x * CELL_WIDTH}px;top:${44 + y * CELL_HEIGHT}px;width:${w * CELL_WIDTH - 6}px;height:${h * CELL_HEIGHT - 6}px`;
    const size = { width: w * CELL_WIDTH - 24, height: h * CELL_HEIGHT - 70 };
    const title = panel.title.replaceAll(/\$\{metric\}/g, String(view.variables.metric));
    return `<section style="${box}"><h2>${toHtml(title)}</h2>${drawPanel(panel, answers, size)}</section>`;
  });
  return `<!doctype html><meta charset="utf-8"><style>${style}</style><h1>Tidemark / ${toHtml(json.title)}</h1>${drawn.join('')}`;
}

type Row = Record<string, unknown>;
type Fields = NonNullable<NonNullable<Panel['transformations']>[number]['options']['fields']>;

interface Size {
  width: number;
  height: number;
}

interface Line {
  name: string;
  points: [timeMs: number, value: number][];
}

function drawPanel(
  { type, targets, noValue, transformations = [] }: Panel,
  answers: Answers,
  size: Size,
): string {
  const shown = targets.filter(({ hide }) => hide !== true);
  const series = shown.flatMap((target) => answers.get(target) ?? []);
  const lines = shown.flatMap((target) => (answers.get(target) ?? []).flatMap((one) => linesOf(one, target)));
  if (series.length === 0) return `<p>${toHtml(noValue)}</p>`;
  if (type === 'stat') return `<div class="big">${round(lines.at(-1)?.points.at(-1)?.[1])}</div>`;
  if (type === 'table') return drawTable(series, transformations);
  if (type === 'bargauge') return drawBars(lines);
  if (type === 'heatmap')
    return drawCells(lines, size, (_, share) => `hsl(${30 - 30 * share},90%,${30 + 30 * share}%)`);
  if (type === 'state-timeline')
    return drawCells(lines, size, (value) => (value === 1 ? '#73bf69' : '#f2495c'));
  if (type === 'histogram') return drawCounts(lines, size);
  if (type === 'geomap') return drawMap(series, size);
  return drawLines(lines, size);
}

function linesOf(
  { columns, tags = {}, values }: Series,
  { alias, legendFormat, type, refId }: Target,
): Line[] {
  return columns.slice(1).flatMap((column, index) => {
    const points = values
      .filter((row) => Number.isFinite(row[index + 1]))
      .map((row): [number, number] => [Number(row[0]), Number(row[index + 1])]);
    const named = (
      alias ??
      (type === undefined ? undefined : refId) ??
      legendFormat?.replaceAll(/\{\{(\w+)\}\}/g, '$tag_$1') ??
      ''
    )
      .replaceAll(/\$tag_(\w+)/g, (_, tag: string) => tags[tag] ?? '')
      .replaceAll('$col', column);
    return points.length === 0 ? [] : [{ name: named || Object.values(tags).join(' ') || column, points }];
  });
}

function drawLines(lines: readonly Line[], { width, height }: Size): string {
  const all = lines.flatMap(({ points }) => points);
  const place = placer(all, { width: width - 50, height });
  const paths = lines.map(({ points }, index) => {
    const path = points
      .map((point) =>
        place(point)
          .map((n) => n.toFixed(1))
          .join(','),
      )
      .join(' ');
    const color = colors[index % colors.length];
    const dots = points
      .map((point) => place(point))
      .map(([x, y]) => `<circle cx="${x}" cy="${y}" r="2" fill="${color}"/>`);
    return `<polyline points="${path}" fill="none" stroke="${color}"/>${points.length < 40 ? dots.join('') : ''}`;
  });
  const values = all.map(([, value]) => value);
  const axis = [Math.max(...values), Math.min(...values)].map(
    (value, index) =>
      `<text x="0" y="${index === 0 ? 12 : height - 2}" fill="#9fa7b3" font-size="11">${round(value)}</text>`,
  );
  const legend = lines
    .slice(0, 8)
    .map(
      ({ name }, index) =>
        `<small><b style="color:${colors[index % colors.length]}">▬</b> ${toHtml(name)}</small>`,
    );
  return `<svg width="${width}" height="${height}">${axis.join('')}<g transform="translate(50,0)">${paths.join('')}</g></svg><div>${legend.join('')}</div>`;
}

function placer(points: readonly [number, number][], { width, height }: Size) {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const scale = (values: readonly number[], size: number) => {
    const [least, most] = [Math.min(...values), Math.max(...values)];
    return (value: number) =>
      most === least ? size / 2 : ((value - least) / (most - least)) * (size - 8) + 4;
  };
  const [toX, toY] = [scale(xs, width), scale(ys, height)];
  return ([x, y]: [number, number]): [number, number] => [toX(x), height - toY(y)];
}

function drawTable(
  series: readonly Series[],
  transformations: NonNullable<Panel['transformations']>,
): string {
  const rows: Row[] = series.flatMap(({ columns, tags = {}, values }) =>
    values.map((row) => ({
      ...tags,
      ...Object.fromEntries(columns.map((column, index) => [column, row[index]])),
    })),
  );
  const summed = transformations.reduce(
    (all, { options: { fields } }) => (fields ? group(all, fields) : all),
    rows,
  );
  const isHidden = (name: string) => transformations.some(({ options }) => options.excludeByName?.[name]);
  const columns = [...new Set(summed.flatMap(Object.keys))].filter((name) => !isHidden(name));
  const renamed = (name: string) =>
    transformations.reduce(
      (text, { options: { regex, renamePattern, renameByName } }) =>
        renameByName?.[text] ??
        (regex === undefined ? text : text.replace(new RegExp(regex), renamePattern!)),
      name,
    );
  const cell = (column: string, value: unknown) =>
    /^time( |$)/.test(column) && typeof value === 'number' && value > 0
      ? new Date(value).toISOString().slice(0, 19)
      : round(value);
  const body = summed
    .slice(0, 14)
    .map(
      (row) =>
        `<tr>${columns.map((column) => `<td>${toHtml(String(cell(column, row[column])))}</td>`).join('')}</tr>`,
    );
  return `<table><tr>${columns.map((column) => `<th>${toHtml(renamed(column))}</th>`).join('')}</tr>${body.join('')}</table>`;
}

/** As Grafana's `groupBy`. */
function group(rows: readonly Row[], fields: Fields): Row[] {
  const by = Object.keys(fields).filter((name) => fields[name]!.operation === 'groupby');
  const groups = Map.groupBy(rows, (row) => JSON.stringify(by.map((name) => row[name])));
  return [...groups.values()].map((members) => {
    const sums = Object.entries(fields).flatMap(([name, { aggregations }]) => {
      const values = members.map((row) => row[name]).filter((value) => typeof value === 'number');
      if (values.length === 0) return [];
      const sum = values.reduce((total, value) => total + value, 0);
      const all = {
        min: Math.min(...values),
        max: Math.max(...values),
        mean: sum / values.length,
        count: values.length,
      };
      return aggregations.map((one): [string, number] => [`${name} (${one})`, all[one]]);
    });
    return Object.fromEntries([...by.map((name) => [name, members[0]![name]]), ...sums]);
  });
}

function drawBars(lines: readonly Line[]): string {
  const last = lines.map(({ name, points }) => ({ name, value: points.at(-1)![1] }));
  const most = Math.max(...last.map(({ value }) => value), Number.MIN_VALUE);
  return last
    .map(
      ({ name, value }) =>
        `<small>${toHtml(name)} ${round(value)}</small><div class="bar" style="width:${(value / most) * 100}%"></div>`,
    )
    .join('');
}

function drawCells(
  lines: readonly Line[],
  { width, height }: Size,
  colorOf: (value: number, share: number) => string,
): string {
  const times = [...new Set(lines.flatMap(({ points }) => points.map(([time]) => time)))].toSorted();
  const [cell, row] = [width / times.length, height / lines.length];
  const most = Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value)));
  const cells = lines.flatMap(({ points, name }, line) => [
    ...points.map(
      ([time, value]) =>
        `<rect x="${times.indexOf(time) * cell}" y="${line * row}" width="${cell - 1}" height="${row - 1}" fill="${colorOf(value, value / most)}"/>`,
    ),
    `<text x="4" y="${line * row + 14}" fill="#fff" font-size="11">${toHtml(name)}</text>`,
  ]);
  return `<svg width="${width}" height="${height}">${cells.join('')}</svg>`;
}

function drawCounts(lines: readonly Line[], size: Size): string {
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value));
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const counts = Array.from({ length: 20 }, () => 0);
  for (const value of values)
    counts[Math.min(19, Math.floor(((value - least) / (most - least || 1)) * 20))]! += 1;
  const tallest = Math.max(...counts);
  const bars = counts.map((count, index) => {
    const tall = (count / tallest) * size.height;
    return `<rect x="${(index * size.width) / 20}" y="${size.height - tall}" width="${size.width / 20 - 1}" height="${tall}" fill="#5794f2"/>`;
  });
  return `<svg width="${size.width}" height="${size.height}">${bars.join('')}</svg><small>${round(least)} … ${round(most)}</small>`;
}

function drawMap(series: readonly Series[], size: Size): string {
  const sensors = series
    .flatMap(({ columns, tags, values }) =>
      values.map((row) => ({
        at: [Number(row[columns.indexOf('lon')]), Number(row[columns.indexOf('lat')])] as [number, number],
        up: row[columns.indexOf('up')],
        id: tags!.sensor!,
      })),
    )
    .filter(({ at }) => at.every((degrees) => degrees !== 0));
  const place = placer(
    sensors.map(({ at }) => at),
    size,
  );
  const dots = sensors.map(({ at, up }) =>
    place(at)
      .map(String)
      .concat(up === 1 ? '#73bf69' : '#f2495c'),
  );
  return `<svg width="${size.width}" height="${size.height}">${dots.map(([x, y, color]) => `<circle cx="${x}" cy="${y}" r="7" fill="${color}" opacity="0.8"/>`).join('')}</svg>`;
}

function round(value: unknown): string | number {
  if (value === undefined || value === null) return '';
  return typeof value === 'number' ? Number(value.toPrecision(4)) : String(value);
}

function toHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
