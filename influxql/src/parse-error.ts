/** A query that does not parse; the message is InfluxDB's. */
export class ParseError extends Error {}
