/**
 * What Redis or PostgreSQL refuses to a whole server, and how it is told: a server, orders that meet the
 * refusal, and its end.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Installation, RunningServer } from "../e2e/server.ts";
import { logged } from "../e2e/tasks.ts";
import { postgresAvailable, type PostgresServer } from "../support/postgres_server.ts";
import { redisAvailable } from "../support/redis_server.ts";

export const ignore = !postgresAvailable || !redisAvailable;
/** A refusal and its end are seen within this time (HLT-2), measured a second later. */
export const NOTICED_MS = 11_000;
/** What waits is handled so long after the end. */
export const HANDLED_MS = 15_000;
interface Scenario {
  readonly what: string;
  readonly begin: () => Promise<unknown>;
  readonly end: () => Promise<unknown>;
  /** In the body. */
  readonly reason: string;
}

type Kind = "providers" | "brokers";

export interface Stage {
  readonly installation: Installation;
  readonly server: RunningServer;
  readonly kind: Kind;
  readonly owner: string;
  /** How many orders are handled. */
  readonly handled: () => Promise<number>;
}

/** One order after the other, each of which meets a refusal and is handled once it is over. */
export async function refuse(
  t: Deno.TestContext,
  stage: Stage,
  scenarios: readonly Scenario[],
): Promise<void> {
  const { server, kind, handled } = stage;
  for (const [index, { what, begin, end, reason }] of scenarios.entries()) {
    const isFine = await t.step(what, async () => {
      const before = (await transitions(server)).length;
      await begin();
      try {
        await order(stage, `${kind}-${index}`);
        await probed(server, 503);
        const { body } = await server.probe("/readyz");
        assertStringIncludes(JSON.stringify(body["reasons"]), reason);
        const checks = body["checks"] as Record<Kind, Record<string, string>>;
        assertEquals(checks[kind]["default"], "unavailable", JSON.stringify(body));
      } finally {
        await end();
      }
      await probed(server, 200);
      await server.until(async () => await handled() === index + 1, "the order to be handled", HANDLED_MS);
      const told = async () => (await transitions(server)).slice(before).join();
      await server.until(
        async () => await told() === "health.component_unavailable,health.component_available",
        "both transitions to be logged, once",
        HANDLED_MS,
      );
    });
    // Whatever the next one would show, it would be about this one.
    if (!isFine) return;
  }
  assertEquals(await server.end("SIGTERM"), 0);
  for (const lost of ["subscription.dead_lettered", "outbox.abandoned"]) {
    assertEquals(await logged(server, lost), []);
  }
}

export async function probed(server: RunningServer, expected: number): Promise<void> {
  await server.until(
    async () => (await server.probe("/readyz")).status === expected,
    `readiness to say ${expected}`,
    NOTICED_MS,
  );
}

async function transitions(server: RunningServer): Promise<string[]> {
  return (await server.log()).split("\n").flatMap((line) =>
    /"event":"(health\.component_\w+)"/.exec(line)?.[1] ?? []
  );
}

/** Sent by the owner of the database, whom nothing is refused. */
export async function order({ installation, owner }: Stage, id: string): Promise<void> {
  const sent = await installation.command(
    ["send", "PlaceOrder", "--data", `{"orderId":"${id}","amount":10}`],
    { env: { DATABASE: owner } },
  );
  assertEquals(sent.code, 0, sent.err);
}

/** How many orders PostgreSQL has. */
export function orders(postgres: PostgresServer): () => Promise<number> {
  return async () => Number((await postgres.sql("select count(*) from protean_my_domain_order"))[0]);
}
