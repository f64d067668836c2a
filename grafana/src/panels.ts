import * as barGauge from '@grafana/grafana-foundation-sdk/bargauge';
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import { type DashboardName, linkTo } from './links.ts';
import { asVariable, storeRef } from './targets.ts';

/** What every panel says of itself: nothing here may be left out. */
export interface PanelText {
  title: string;
  /** What is shown, of what, over which time. */
  description: string;
  unit: string;
  /** What to do when there is nothing to show. */
  noValue: string;
  /** Where more of it is found. */
  more: DashboardName;
  targets: readonly Builder<Dataquery>[];
  /** Whose queries the targets are; the store's unless set. */
  source?: common.DataSourceRef;
  width: number;
  height: number;
}

/** The members that all panel builders of the SDK share; each declares them anew, in no common type. */
interface CommonBuilder<B> {
  title(title: string): B;
  description(description: string): B;
  unit(unit: string): B;
  noValue(noValue: string): B;
  links(links: Builder<dashboard.DashboardLink>[]): B;
  targets(targets: Builder<Dataquery>[]): B;
  datasource(datasource: common.DataSourceRef): B;
  span(width: number): B;
  height(height: number): B;
}

/** Gives a panel what every panel has. */
export function describe<B extends CommonBuilder<B>>(panel: B, text: PanelText): B {
  return panel
    .title(text.title)
    .description(text.description)
    .unit(text.unit)
    .noValue(text.noValue)
    .links([linkTo(text.more)])
    .targets([...text.targets])
    .datasource(text.source ?? storeRef)
    .span(text.width)
    .height(text.height);
}

/** Holds a date and a time of day to the millisecond. */
const TIME_WIDTH_PX = 210;

type Steps = readonly [color: string, from: number][];

/** One number, green unless `steps` says otherwise. */
export function number(text: PanelText, steps: Steps = []): stat.PanelBuilder {
  return describe(new stat.PanelBuilder(), text)
    .graphMode(common.BigValueGraphMode.None)
    .colorMode(common.BigValueColorMode.Value)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .thresholds(thresholds(steps));
}

/** Lines over time, with a legend below. */
export function lines(text: PanelText): timeseries.PanelBuilder {
  return describe(new timeseries.PanelBuilder(), text)
    .lineWidth(1)
    .fillOpacity(8)
    .showPoints(common.VisibilityMode.Auto)
    .legend(
      new common.VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .calcs([]),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder()
        .mode(common.TooltipDisplayMode.Multi)
        .sort(common.SortOrder.Descending),
    );
}

/**
 * Fills what lies between the series that the queries B and C call `lowest` and `highest`, and draws neither of them.
 * Fields of different units have axes of their own: both need the unit of the lines between them.
 */
export function withBand(panel: timeseries.PanelBuilder): timeseries.PanelBuilder {
  const thin = [
    { id: 'custom.lineWidth', value: 0 },
    { id: 'custom.showPoints', value: 'never' },
    { id: 'color', value: { mode: 'fixed', fixedColor: 'semi-dark-blue' } },
    { id: 'custom.hideFrom', value: { legend: true, tooltip: false, viz: false } },
  ];
  return panel
    .fillOpacity(0)
    .overrideByQuery('B', thin)
    .overrideByQuery('C', [
      ...thin,
      { id: 'custom.fillBelowTo', value: 'lowest' },
      { id: 'custom.fillOpacity', value: 15 },
    ]);
}

/** Bars over time, one upon the other: counts. */
export function stackedBars(text: PanelText): timeseries.PanelBuilder {
  return lines(text)
    .drawStyle(common.GraphDrawStyle.Bars)
    .fillOpacity(70)
    .showPoints(common.VisibilityMode.Never)
    .stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group('A'))
    .min(0);
}

/** One bar for each sensor, the value beside it. Of a single series Grafana leaves the name out, unless one is given. */
export function bars(text: PanelText, steps: Steps = []): barGauge.PanelBuilder {
  return describe(new barGauge.PanelBuilder(), text)
    .displayName(asVariable('__field.labels.sensor'))
    .min(0)
    .orientation(common.VizOrientation.Horizontal)
    .displayMode(common.BarGaugeDisplayMode.Basic)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .thresholds(thresholds(steps));
}

/** Rows of a table, the columns as the query names them. */
export function rows(text: PanelText): table.PanelBuilder {
  return (
    describe(new table.PanelBuilder(), text)
      .filterable(true)
      // What to do when there is nothing is for the panel, not for each cell without a value.
      .overrideByRegexp('/.*/', [{ id: 'noValue', value: ' ' }])
      .overrideByRegexp('/^[Tt]ime$/', [{ id: 'custom.width', value: TIME_WIDTH_PX }])
      // A column without any value has no type, and would be shown as JSON: `null`, again and again.
      .overrideByFieldType('other', [{ id: 'custom.displayMode', value: 'color-text' }])
  );
}

/** Leaves columns out of a table, puts the others in an order, and calls some by other names. */
export function columns(
  order: readonly string[],
  hidden: readonly string[] = [],
  names: Readonly<Record<string, string>> = {},
) {
  return {
    id: 'organize',
    options: {
      excludeByName: Object.fromEntries(hidden.map((name) => [name, true])),
      indexByName: Object.fromEntries(order.map((name, index) => [name, index])),
      renameByName: names,
    },
  };
}

type Calculation = 'min' | 'max' | 'mean' | 'count';

/** One row for all rows that have the same in some columns, with the others summed up as `<column> (<calculation>)`. */
export function grouped(by: readonly string[], sums: Readonly<Record<string, readonly Calculation[]>>) {
  return {
    id: 'groupBy',
    options: {
      fields: Object.fromEntries([
        ...by.map((name) => [name, { aggregations: [], operation: 'groupby' }]),
        ...Object.entries(sums).map(([name, aggregations]) => [
          name,
          { aggregations, operation: 'aggregate' },
        ]),
      ]),
    },
  };
}

/** Renames columns or series by a regular expression. */
export function renamed(regex: string, renamePattern: string) {
  return { id: 'renameByRegex', options: { regex, renamePattern } };
}

/** The usual metrics' units; their names are found anywhere in a column's or series' name. */
export const metricUnits: readonly [regex: string, unit: string][] = [
  ['/temp/i', 'celsius'],
  ['/humidity|moisture|battery|soc/i', 'percent'],
  ['/pressure/i', 'pressurehpa'],
  ['/co2|voc/i', 'ppm'],
  ['/(lux|light|illuminance)/i', 'lux'],
  ['/(volt|voltage)/i', 'volt'],
  ['/(current|ampere)/i', 'amp'],
  ['/(power|watt)/i', 'watt'],
  ['/energy/i', 'kwatth'],
  ['/(rssi|signal)/i', 'dBm'],
];

/** Steps of colour upward from green. */
export function thresholds(steps: Steps) {
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps([{ color: 'green', value: null }, ...steps.map(([color, value]) => ({ color, value }))]);
}
