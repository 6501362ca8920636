/**
 * What is logged while something runs. The log is the process's: for tests that run one after the other.
 *
 * @module
 */
import { configure, type LogRecord, reset } from "@logtape/logtape";

/** Collects what our loggers say meanwhile, from `info` on. */
export async function logged(work: () => Promise<unknown>): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  await configure({
    sinks: { memory: (record) => records.push(record) },
    loggers: [
      { category: "protean", sinks: ["memory"], lowestLevel: "info" },
      { category: ["logtape", "meta"], lowestLevel: "fatal" },
    ],
  });
  try {
    await work();
  } finally {
    await reset();
  }
  return records;
}
