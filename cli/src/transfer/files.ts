import { extname } from 'node:path';

export const transferFormats = ['csv', 'line', 'parquet'] as const;
export type TransferFormat = (typeof transferFormats)[number];

const formatOfExtension: Record<string, TransferFormat> = {
  '.csv': 'csv',
  '.lp': 'line',
  '.line': 'line',
  '.txt': 'line',
  '.parquet': 'parquet',
};

/** The format that a file's name tells; undefined when it tells none. */
export function formatOfFile(file: string): TransferFormat | undefined {
  return formatOfExtension[extname(file).toLowerCase()];
}

/** A number of bytes for a person. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
