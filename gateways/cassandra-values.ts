/** Columns of Cassandra as values of ours, and back. */
import cassandra from 'cassandra-driver';
import type { Row } from './cassandra-session.ts';

/** Text, and a uuid in its canonical form. */
export function textOf(row: Row, column: string): string | null {
  const value = row[column];
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : (value as { toString(): string }).toString();
}

/** int and bigint as a number: microseconds stay exact up to the year 2255. */
export function numberOf(row: Row, column: string): number | null {
  const value = row[column];
  return value === null || value === undefined ? null : Number(value);
}

/** A timestamp column as epoch milliseconds. */
export function msOf(row: Row, column: string): number | null {
  const value = row[column];
  return value instanceof Date ? value.getTime() : null;
}

/** A text that must be there: a row without it is none of ours. */
export function requiredText(row: Row, column: string): string {
  return textOf(row, column) ?? '';
}

/** For bigint columns and USING TIMESTAMP. */
export function toBigint(value: number | null): bigint | null {
  return value === null ? null : BigInt(Math.trunc(value));
}

/** Leaves a column alone that has no value: a null would be stored as a tombstone. */
export function orUnset<T>(value: T | null): T | typeof cassandra.types.unset {
  return value ?? cassandra.types.unset;
}
