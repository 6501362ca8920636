/**
 * Points in time as people write them.
 *
 * @module
 */
import { InvalidArgumentError } from "commander";

/** A point in time, given now: epoch ms. */
export type Moment = (now: number) => Date;

const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
  w: 7 * 24 * 3_600_000,
};

/** RFC 3339, whose seconds may be left out, or a date alone, which is its first moment in UTC. */
const TIME = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d))?$/;

/** `90s`, `30m`, `2h` or `7d` in milliseconds; undefined for what is no such time. */
export function durationMs(value: string): number | undefined {
  const [, count, unit = ""] = /^(\d{1,9})([smhdw])$/.exec(value.trim()) ?? [];
  return count === undefined ? undefined : Number(count) * (UNITS[unit] ?? 0);
}

/** A time in ISO 8601 as tables show it: without its `T`, to the second. */
export function toTheSecond(iso: string): string {
  return iso.slice(0, 19).replace("T", " ");
}

/** The value of an option that takes a time: `2026-11-28T10:00:00Z`, or `24h` or `7d` ago. */
export function moment(value: string): Moment {
  const ms = durationMs(value);
  if (ms !== undefined) {
    // No time is before the epoch: longer ago than that is as long ago as can be.
    return (now) => new Date(Math.max(0, now - ms));
  }
  const time = parsed(value.trim());
  if (time === undefined) {
    throw new InvalidArgumentError("It is no time: give one as 2026-11-28T10:00:00Z, or as 24h or 7d ago.");
  }
  return () => new Date(time);
}

/** Epoch ms; undefined for what is no time, such as the 30th of February. */
function parsed(text: string): number | undefined {
  const [, year, month, day, hour = "00", minute = "00", second = "00"] = TIME.exec(text) ?? [];
  if (year === undefined) return undefined;
  const local = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(local.getTime()) || local.getUTCDate() !== Number(day)) return undefined;
  const time = Date.parse(text.replace(" ", "T").toUpperCase());
  return Number.isNaN(time) ? undefined : time;
}
