/**
 * The head that adapters under a conformance suite share: several instances on one backend, time that the
 * test moves, and an end at which everything is closed and no timer is left.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { type Clock, sleep, systemClock } from "../../lib/async/clock.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";

interface Adapter {
  open(signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface Opened<T> {
  readonly first: T;
  /** Opens a further instance on the same backend; `close` closes it. */
  readonly another: () => Promise<T>;
  readonly clock: FakeClock;
  readonly elapse: (ms: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Opens what `create` returns, as often as it is asked for. */
export async function instances<T extends Adapter>(
  create: () => T,
): Promise<Pick<Opened<T>, "first" | "another" | "close">> {
  const adapters: T[] = [];
  const another = async () => {
    const adapter = create();
    await adapter.open();
    adapters.push(adapter);
    return adapter;
  };
  return {
    first: await another(),
    another,
    close: async () => {
      for (const adapter of adapters) await adapter.close();
    },
  };
}

/** As `instances`, on a clock of their own. */
export async function opened<T extends Adapter>(create: (clock: FakeClock) => T): Promise<Opened<T>> {
  const clock = new FakeClock();
  const rest = await instances(() => create(clock));
  return {
    ...rest,
    clock,
    elapse: (ms) => clock.advance(ms),
    close: async () => {
      await rest.close();
      assertEquals(clock.pending, 0, "no timer is left behind");
    },
  };
}

/** As `instances`, on the machine's clock, for backends that go by a clock of their own. */
export async function openedInRealTime<T extends Adapter>(
  create: (clock: Clock) => T,
): Promise<Omit<Opened<T>, "clock"> & { readonly clock: Clock }> {
  const pending = new Set<symbol>();
  const clock: Clock = {
    ...systemClock,
    after: (ms, callback) => {
      const timer = Symbol();
      pending.add(timer);
      const cancel = systemClock.after(ms, () => {
        pending.delete(timer);
        callback();
      });
      return () => {
        pending.delete(timer);
        cancel();
      };
    },
  };
  const rest = await instances(() => create(clock));
  return {
    ...rest,
    clock,
    elapse: (ms) => sleep(systemClock, ms),
    close: async () => {
      await rest.close();
      assertEquals(pending.size, 0, "no timer is left behind");
    },
  };
}

/** As `opened`, in a folder that is removed at the end. */
export async function openedInFolder<T extends Adapter>(
  create: (folder: string, clock: FakeClock) => T,
): Promise<Opened<T>> {
  const folder = await Deno.makeTempDir();
  const rest = await opened((clock) => create(folder, clock));
  return {
    ...rest,
    close: async () => {
      await rest.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
