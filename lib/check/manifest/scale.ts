/**
 * How many processes there will be, of the manifest and of what the command line says instead.
 *
 * @module
 */
import type { Scale } from "../subject.ts";
import type { Workload } from "./workload.ts";

/** Workloads add up; where they differ in workers, the most that one of them has counts for all. */
export function scaleOf(
  workloads: readonly Pick<Workload, "replicas" | "workers">[],
  given: { readonly workers?: number; readonly replicas?: number },
): Scale {
  const sum = workloads.reduce((total, { replicas }) => total + replicas, 0);
  const most = Math.max(1, ...workloads.map(({ workers }) => workers ?? 1));
  return { workers: given.workers ?? most, replicas: given.replicas ?? Math.max(1, sum) };
}
