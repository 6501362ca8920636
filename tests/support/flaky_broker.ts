/**
 * A memory broker that fails as real ones do: before it has done what it was asked, after it (the answer is
 * lost), or never answering at all; and whose consumers die.
 *
 * @module
 */
import { MemoryBroker } from "../../lib/adapters/memory/broker.ts";
import type { GroupOptions, StreamGroup } from "../../lib/adapters/ports.ts";
import { BrokerUnavailableError, UnavailableError } from "../../lib/errors.ts";

/**
 * `refuse`: nothing was done. `lose`: it was done, and the answer is lost. `hang`: nothing is done and no
 * answer comes. `before`: it is done when that resolves. `after`: it is done, and the answer comes when that
 * resolves.
 */
export type Fault =
  | "refuse"
  | "lose"
  | "hang"
  | { readonly before: Promise<void> }
  | { readonly after: Promise<void> };
export type Operation = Exclude<
  keyof StreamGroup,
  "stream" | "group" | "consumer" | "unclear" | "relink" | "handOver" | "forgetPostponed"
>;

const OPERATIONS: readonly Operation[] = [
  "ensure",
  "read",
  "ack",
  "refresh",
  "attempt",
  "postpone",
  "pending",
  "claim",
  "deadLetter",
  "release",
  "trim",
  "retire",
  "sweep",
  "info",
  "close",
];

export class FlakyBroker extends MemoryBroker {
  /** Decides what goes wrong; nothing by default. */
  fault: (operation: Operation, group: StreamGroup) => Fault | undefined = () => undefined;
  readonly #dead = new Set<string>();

  /** From now on the consumer's process is gone: whatever it asks or has asked is never answered. */
  kill(consumer: string): void {
    this.#dead.add(consumer);
  }

  override group(options: GroupOptions): StreamGroup {
    const group = super.group(options);
    const flaky: Record<string, unknown> = {
      stream: group.stream,
      group: group.group,
      consumer: group.consumer,
    };
    for (const name of OPERATIONS) {
      const operation = group[name]?.bind(group) as (...args: unknown[]) => Promise<unknown>;
      flaky[name] = (...args: unknown[]) => this.#run(name, group, () => operation(...args));
    }
    return flaky as unknown as StreamGroup;
  }

  async #run(name: Operation, group: StreamGroup, work: () => Promise<unknown>): Promise<unknown> {
    const gone = () => this.#dead.has(group.consumer);
    const fault = this.fault(name, group);
    if (gone() || fault === "hang") return await new Promise(() => {});
    if (fault === "refuse") throw outage();
    if (typeof fault === "object" && "before" in fault) await fault.before;
    const answer = await work();
    if (typeof fault === "object" && "after" in fault) await fault.after;
    if (gone()) return await new Promise(() => {});
    if (fault === "lose") throw outage();
    return answer;
  }
}

function outage(): UnavailableError {
  return new BrokerUnavailableError("Broker 'default' does not answer.");
}
