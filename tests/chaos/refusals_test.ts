/**
 * A backend is there, answers PING, and refuses the work to everybody (faults F13, F14, F31): the work waits,
 * uncounted; the server says so, and goes on by itself.
 */
import { assertEquals } from "@std/assert";
import { pause } from "../support/until.ts";
import { faultTest } from "./audit/fault.ts";
import { readyAgain, unready } from "./audit/readiness.ts";
import { lasting, runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";

interface Refusal {
  readonly name: string;
  readonly reason: RegExp;
  readonly begin: (stage: Stage) => Promise<unknown>;
  readonly end: (stage: Stage) => Promise<unknown>;
}

/** From when the server has said so. */
const LASTING_MS = lasting(60_000, 1000);
const SOURCE = "audit::source";

const redis: readonly Refusal[] = [
  {
    name: "full (F13)",
    reason: /OOM/,
    begin: ({ streams }) => streams.ask("CONFIG", "SET", "maxmemory", "1mb"),
    end: ({ streams }) => streams.ask("CONFIG", "SET", "maxmemory", "0"),
  },
  {
    name: "read-only (F14)",
    reason: /replica|READONLY/i,
    begin: ({ streams }) => streams.ask("REPLICAOF", "127.0.0.1", "1"),
    end: ({ streams }) => streams.ask("REPLICAOF", "NO", "ONE"),
  },
  {
    name: "without enough replicas",
    reason: /NOREPLICAS/,
    begin: ({ streams }) => streams.ask("CONFIG", "SET", "min-replicas-to-write", "1"),
    end: ({ streams }) => streams.ask("CONFIG", "SET", "min-replicas-to-write", "0"),
  },
  {
    name: "without the right to write",
    reason: /NOPERM|permission/i,
    begin: ({ streams }) => streams.ask("ACL", "SETUSER", "default", "-xadd"),
    end: ({ streams }) => streams.ask("ACL", "SETUSER", "default", "+xadd"),
  },
  {
    name: "without the right to read",
    reason: /NOPERM|permission/i,
    begin: ({ streams }) => streams.ask("ACL", "SETUSER", "default", "-xreadgroup"),
    end: ({ streams }) => streams.ask("ACL", "SETUSER", "default", "+xreadgroup"),
  },
  {
    name: "without scripts",
    reason: /NOPERM|permission/i,
    begin: ({ streams }) => streams.ask("ACL", "SETUSER", "default", "-@scripting"),
    end: ({ streams }) => streams.ask("ACL", "SETUSER", "default", "+@scripting"),
  },
  {
    name: "with a key of another type",
    reason: /holds something else/,
    begin: async ({ streams }) => {
      await streams.ask("RENAME", SOURCE, "kept");
      await streams.ask("SET", SOURCE, "a text");
    },
    end: ({ streams }) => streams.ask("RENAME", "kept", SOURCE),
  },
];

const END_ALL = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'";

const postgres: readonly Refusal[] = [
  {
    name: "the role may not log in any more",
    reason: /app|log in|login/i,
    begin: ({ books }) => books.ask(`alter role app nologin; ${END_ALL}`),
    end: ({ books }) => books.ask("alter role app login"),
  },
  {
    name: "no connection is left for the role",
    reason: /too many connections/i,
    begin: ({ books }) => books.ask(`alter role app connection limit 0; ${END_ALL}`),
    end: ({ books }) => books.ask("alter role app connection limit -1"),
  },
  {
    name: "the right to the handlers' table is revoked",
    reason: /permission denied|effects/i,
    begin: ({ books }) => books.ask("revoke all on effects from app"),
    end: ({ books }) => books.ask("grant all on effects to app"),
  },
  {
    name: "the right to the outbox is revoked",
    reason: /permission denied|protean_outbox/i,
    begin: ({ books }) => books.ask("revoke all on protean_outbox from app"),
    end: ({ books }) => books.ask("grant all on protean_outbox to app"),
  },
  {
    name: "the table of marks is missing",
    reason: /protean_processed/i,
    begin: ({ books }) => books.ask("alter table protean_processed rename to elsewhere"),
    end: ({ books }) => books.ask("alter table elsewhere rename to protean_processed"),
  },
];

for (const [backend, refusals] of Object.entries({ Redis: redis, PostgreSQL: postgres })) {
  faultTest(
    `F31: what ${backend} refuses to everybody waits, is told, and goes on by itself`,
    async (chance) => {
      await using stage = await Stage.open({ chance, role: "app" });
      const server = await stage.serve();
      const each = Math.ceil(runSize() / 20);
      let events = 0;
      const more = () => {
        events += each;
        stage.produce({ events });
      };
      more();
      await stage.settled(server);
      for (const { name, reason, begin, end } of refusals) {
        await begin(stage);
        more();
        try {
          await unready(server, reason);
          await pause(LASTING_MS);
        } catch (error) {
          throw new Error(`${backend} ${name}: ${error}`, { cause: error });
        } finally {
          await end(stage);
        }
        await readyAgain(server);
        await stage.settled(server);
        assertEquals(await stage.givenUp(), 0, `${backend} ${name}: given up`);
      }
      await stage.audit({ events, ordered: true });
      assertEquals(await server.end("SIGTERM"), 0);
    },
  );
}
