/**
 * The unit of work as a context sees it.
 *
 * @module
 */
import type { UnitOfWork } from "./unit_of_work.ts";

/** What a context asks of the unit of work, or of one message's part in it. */
export type Work = Pick<
  UnitOfWork,
  | "runtime"
  | "origin"
  | "find"
  | "findMany"
  | "save"
  | "remove"
  | "readRow"
  | "readRows"
  | "listRows"
  | "writeRow"
  | "cache"
  | "statements"
  | "query"
  | "send"
>;
