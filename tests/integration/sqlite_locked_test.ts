/** Another process keeps a SQLite file of a server locked: readiness says so, and its end (public cases). */
import { DatabaseSync } from "node:sqlite";
import { assertEquals } from "@std/assert";
import { Installation } from "../e2e/server.ts";

/** A fault and its end are seen within this time (HLT-2). */
const NOTICED_MS = 10_000;

for (const [file, section] of [["my_domain.db", "providers"], ["my_domain-streams.db", "brokers"]] as const) {
  Deno.test(`a server whose ${file} another process keeps locked is not ready until that ends`, async () => {
    await using installation = await Installation.create();
    const server = await installation.start();
    using db = new DatabaseSync(`${installation.folder}/${file}`);
    const state = async () => {
      const { status, body } = await server.probe("/readyz");
      const checks = body["checks"] as Record<string, Record<string, string>>;
      return `${status} ${checks[section]?.["default"]}`;
    };
    db.exec("BEGIN IMMEDIATE");
    await server.until(async () => await state() === "503 unavailable", "readiness to say so", NOTICED_MS);
    const told = `${file} has been locked by another process for`;
    await server.until(async () => (await server.log()).includes(told), "the log to say so", NOTICED_MS);
    db.exec("ROLLBACK");
    await server.until(
      async () => await state() === "200 ok",
      "readiness to say that it is over",
      NOTICED_MS,
    );
    assertEquals(await server.end("SIGTERM"), 0, await server.log());
  });
}
