/**
 * Times on the wire: ISO 8601 in Python's form, UTC (spec: wire 1.2, 1.3).
 *
 * @module
 */

/** Epoch milliseconds (fractions are microseconds) as `2026-11-22T14:11:31.746953+00:00`. */
export function timeText(epochMs: number): string {
  const whole = Math.floor(epochMs);
  const micros = Math.floor((epochMs - whole) * 1000);
  return `${new Date(whole).toISOString().slice(0, -1)}${String(micros).padStart(3, "0")}+00:00`;
}

/** Epoch milliseconds of a time as `decodeMessage` leaves it; undefined for null and for what is no time. */
export function parseTime(text: string | null): number | undefined {
  if (text === null) return undefined;
  const epochMs = Date.parse(text);
  return Number.isNaN(epochMs) ? undefined : epochMs;
}
