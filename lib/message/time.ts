/**
 * Times on the wire: ISO 8601 in Python's form, UTC (spec: wire 1.2, 1.3).
 *
 * @module
 */

/** Epoch milliseconds (fractions are microseconds) as `2026-11-22T14:11:31.746953+00:00`. */
export function timeText(epochMs: number): string {
  return textOf(momentAt(epochMs));
}

/** Apart, since a double has no room for the microseconds of all times beyond the year 2255. */
interface Moment {
  /** Whole epoch milliseconds. */
  readonly ms: number;
  /** 0 to 999. */
  readonly micros: number;
}

function momentAt(epochMs: number, moreMicros = 0): Moment {
  const whole = Math.floor(epochMs);
  const micros = Math.round((epochMs - whole) * 1000) + moreMicros;
  return micros < 1000 ? { ms: whole, micros } : { ms: whole + 1, micros: micros - 1000 };
}

function textOf({ ms, micros }: Moment): string {
  return `${new Date(ms).toISOString().slice(0, -1)}${String(micros).padStart(3, "0")}+00:00`;
}

/** Epoch milliseconds of a time as `decodeMessage` leaves it; undefined for null and for what is no time. */
export function parseTime(text: string | null): number | undefined {
  if (text === null) return undefined;
  const epochMs = Date.parse(text);
  return Number.isNaN(epochMs) ? undefined : epochMs;
}

const UTC =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3])(?::[0-5]\d){2}(?:\.\d{1,9})?(?:Z|\+00:00)$/;
const DATE_TIME =
  /^(\d{4}-\d\d-\d\d)(?:[T _](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9})\d*)?\s*(?:(Z|[+-]\d\d):?(\d\d)?)?)?$/i;
/** Numbers up to here are seconds, beyond it milliseconds, as pydantic reads them. */
const LARGEST_SECONDS = 2e10;

/** First and last millisecond that Python can tell: the years 1 to 9999. */
const FIRST = Date.parse("0001-01-01T00:00:00Z");
const LAST = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * A time as others write it (ISO 8601 with any offset or none, epoch seconds or milliseconds) as ISO 8601 in
 * UTC; UTC text stays as it is. Without an offset it is UTC. Null when absent, undefined when it is no time,
 * or none of the years 1 to 9999, which is all that Python reads.
 */
export function utcTime(given: unknown): string | null | undefined {
  if (given === undefined || given === null) return null;
  if (typeof given === "string" && UTC.test(given) && isDay(given.slice(0, 10))) return given;
  const moment = typeof given === "string"
    ? fromText(given)
    : typeof given === "number"
    ? fromNumber(given)
    : NO_TIME;
  return moment.ms >= FIRST && moment.ms <= LAST ? textOf(moment) : undefined;
}

const NO_TIME: Moment = { ms: NaN, micros: 0 };

function fromNumber(value: number): Moment {
  return momentAt(Math.abs(value) > LARGEST_SECONDS ? value : value * 1000);
}

function fromText(text: string): Moment {
  if (/^[+-]?\d+(\.\d+)?$/.test(text)) return fromNumber(Number(text));
  const [, date, time = "00:00", fraction = "0", hours = "Z", minutes = "00"] = DATE_TIME.exec(text.trim()) ??
    [];
  if (date === undefined || !isDay(date)) return NO_TIME;
  const zone = hours.toUpperCase() === "Z" ? "Z" : `${hours}:${minutes}`;
  const micros = Math.round(Number(`0.${fraction}`) * 1e6);
  const ms = Math.floor(micros / 1000);
  return momentAt(Date.parse(`${date}T${time}${zone}`) + ms, micros - ms * 1000);
}

/** `Date.parse` takes the 31st of February for the 3rd of March, and knows a year 0. */
function isDay(date: string): boolean {
  if (date.startsWith("0000")) return false;
  if (date.slice(8) <= "28") return true;
  const midnight = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(date);
}
