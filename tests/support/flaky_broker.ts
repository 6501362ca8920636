/**
 * A memory broker that fails as real ones do: before it has done what it was asked, after it (the answer is lost), or never
 * answering at all; and whose consumers die.
 *
 * @module
 */
import { MemoryBroker } from "../../lib/adapters/memory/broker.ts";
import type { GroupOptions, StreamGroup } from "../../lib/adapters/ports.ts";
import { BrokerUnavailableError, UnavailableError } from "../../lib/errors.ts";

/** `refuse`: nothing was done. `lose`: it was done, and the answer is lost. `hang`: nothing is done and no answer comes. */
export type Fault = "refuse" | "lose" | "hang";
export type Operation = Exclude<keyof StreamGroup, "stream" | "group" | "consumer">;

const OPERATIONS: readonly Operation[] = [
  "ensure",
  "read",
  "ack",
  "refresh",
  "attempt",
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
  fault: (operation: Operation, consumer: string) => Fault | undefined = () => undefined;
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
      const operation = group[name].bind(group) as (...args: unknown[]) => Promise<unknown>;
      flaky[name] = (...args: unknown[]) => this.#run(name, group.consumer, () => operation(...args));
    }
    return flaky as unknown as StreamGroup;
  }

  async #run(name: Operation, consumer: string, work: () => Promise<unknown>): Promise<unknown> {
    const gone = () => this.#dead.has(consumer);
    const fault = name === "close" ? undefined : this.fault(name, consumer);
    if (gone() || fault === "hang") return await new Promise(() => {});
    if (fault === "refuse") throw outage();
    const answer = await work();
    if (gone()) return await new Promise(() => {});
    if (fault === "lose") throw outage();
    return answer;
  }
}

function outage(): UnavailableError {
  return new BrokerUnavailableError("Broker 'default' does not answer.");
}
