/**
 * What is logged while something runs. The log is the process's: for tests that run one after the other.
 *
 * @module
 */
import { configure, type LogLevel, type LogRecord } from "@logtape/logtape";
import { standingSink, watchLog } from "./standing_check.ts";

/** Collects what our loggers say meanwhile, from `level` on. */
export async function logged(
  work: () => Promise<unknown>,
  level: LogLevel = "info",
): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  await configure({
    reset: true,
    sinks: { memory: (record) => records.push(record), standing: standingSink },
    loggers: [
      { category: "protean", sinks: ["memory", "standing"], lowestLevel: level },
      { category: ["logtape", "meta"], lowestLevel: "fatal" },
    ],
  });
  try {
    await work();
  } finally {
    watchLog();
  }
  return records;
}
