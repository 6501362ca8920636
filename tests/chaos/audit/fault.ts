/**
 * How a fault test is registered: with a seed of its own that its failure names.
 *
 * @module
 */
import { asError } from "../../../lib/errors.ts";
import { postgresAvailable } from "../../support/postgres_server.ts";
import { redisAvailable } from "../../support/redis_server.ts";
import { Chance, runSeed, runSize } from "./seed.ts";

/** Registers a test that needs Redis and PostgreSQL; ignored on a machine without them, except in CI. */
export function faultTest(name: string, run: (chance: Chance) => Promise<void>): void {
  const ignore = !redisAvailable || !postgresAvailable;
  Deno.test({ name, ignore, fn: () => withSeed(run) });
}

async function withSeed(run: (chance: Chance) => Promise<void>): Promise<void> {
  const seed = runSeed();
  try {
    await run(new Chance(seed));
  } catch (cause) {
    const again = `The same schedule again: AUDIT_SEED=${seed} AUDIT_N=${runSize()}`;
    throw new Error(`${asError(cause).message}\n${again}`, { cause });
  }
}
