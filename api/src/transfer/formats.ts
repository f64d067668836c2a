/** What points can be exported to and imported from. */
export const transferFormats = ['csv', 'line', 'parquet'] as const;

export type TransferFormat = (typeof transferFormats)[number];

export const contentTypeOf: Record<TransferFormat, string> = {
  csv: 'text/csv; charset=utf-8',
  line: 'text/plain; charset=utf-8',
  parquet: 'application/vnd.apache.parquet',
};

export const extensionOf: Record<TransferFormat, string> = { csv: 'csv', line: 'lp', parquet: 'parquet' };
