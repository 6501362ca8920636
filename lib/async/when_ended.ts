/**
 * To hear of the end of work without standing in its way.
 *
 * @module
 */
import { asError } from "../errors.ts";

/** Calls `ended` when `work` has, with its error where it failed. Returns `work` itself, not delayed. */
export function whenEnded<T>(work: Promise<T>, ended: (error?: Error) => void): Promise<T> {
  work.then(() => ended(), (error) => ended(asError(error)));
  return work;
}
