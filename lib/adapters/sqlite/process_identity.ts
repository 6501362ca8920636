/**
 * Who holds something, so that others notice when that process is dead and take it over at once (delivery 14). A process
 * id alone is not enough: ids are used again, and containers that share a volume count their own.
 *
 * @module
 */
import { readFileSync, readlinkSync } from "node:fs";
import process from "node:process";

/** A process of some machine. Plain JSON. */
export interface ProcessIdentity {
  readonly pid: number;
  /**
   * What tells this process from another one with the same pid: host name, boot, pid namespace and start time. It begins
   * with `?` where the system does not tell, and then nobody can call the process dead.
   */
  readonly startedAt: string;
}

let own: ProcessIdentity | undefined;
let machine: string | undefined;

/** This process. */
export function selfIdentity(): ProcessIdentity {
  return own ??= { pid: process.pid, startedAt: describe(process.pid) ?? `?${crypto.randomUUID()}` };
}

/**
 * True only if that process certainly does not run any more: it was of this very machine, boot and pid namespace, and its
 * pid is free or belongs to a process started at another time. Anything uncertain is false; a lease's expiry decides then.
 */
export function isDead(identity: ProcessIdentity): boolean {
  const self = selfIdentity();
  if (scopeOf(identity.startedAt) !== scopeOf(self.startedAt) || self.startedAt.startsWith("?")) return false;
  if (identity.pid === self.pid) return identity.startedAt !== self.startedAt;
  return describe(identity.pid) !== identity.startedAt;
}

/** Everything but the start time, its last part. */
function scopeOf(startedAt: string): string {
  return startedAt.slice(0, startedAt.lastIndexOf(" "));
}

/** `<host> <boot id> <pid namespace> <start, in clock ticks since boot>`, or undefined: no such process, or no `/proc`. */
function describe(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses and may hold anything; state and 18 more come before the start.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, start] = [fields[0], fields[19]];
    if (state === "Z" || state === "X" || !start) return undefined;
    return `${machineText()} ${start}`;
  } catch {
    return undefined;
  }
}

/** Never changes while this process lives. */
function machineText(): string {
  const boot = () => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return machine ??= `${Deno.hostname()} ${boot()} ${readlinkSync("/proc/self/ns/pid")}`;
}
