/**
 * Locks as keys with a time to live: `protean:lock:<name>` holds the token of whoever has it. A failover of
 * Redis may forget one that it had granted, as it may forget any write.
 *
 * @module
 */
import { type Clock, momentOf } from "../../async/clock.ts";
import { HeldLocks } from "../lease_lock.ts";
import type { Lock, LockOptions } from "../ports.ts";
import type { Endpoint } from "./endpoint.ts";
import type { KeyOf } from "./keys.ts";
import { dropLock, renewLock, takeLock } from "./lock_scripts.ts";

/** Time to live of a lock that nobody renews: how long one stays that belongs to a dead process. */
export const LOCK_MS = 15_000;

export interface RedisLocksOptions {
  readonly redis: () => Endpoint;
  readonly keyOf: KeyOf;
  readonly clock: Clock;
  readonly ttlMs: number;
}

export class RedisLocks {
  readonly #held = new HeldLocks();

  constructor(private readonly options: RedisLocksOptions) {}

  /** See `BaseBroker.lock`. */
  async lock(name: string, { signal }: LockOptions = {}): Promise<Lock | undefined> {
    const { clock, ttlMs } = this.options;
    const key = this.options.keyOf(`protean:lock:${name}`);
    const redis = this.options.redis();
    const token = crypto.randomUUID();
    const since = momentOf(clock);
    // Repeatable: whoever has the token may take the lock again.
    const taken = await redis.run((client) => takeLock.run(client, [key], [token, ttlMs]), {
      ...{ key, signal, repeatable: true },
    });
    if (taken !== 1) return undefined;
    return this.#held.hold({
      ...{ name, clock, since, ttlMs },
      renew: async () =>
        await redis.run((client) => renewLock.run(client, [key], [token, ttlMs]), { key }) === 1,
      release: async () => void await redis.run((client) => dropLock.run(client, [key], [token]), { key }),
    });
  }

  /** Gives up what is held. Never rejects. */
  async close(): Promise<void> {
    await this.#held.close();
  }
}
