/**
 * The image of the Containerfile: what it says, and what runs in its file system as a container engine would
 * run it.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { serversConfig } from "../../integration/shared_config.ts";
import { postgresAvailable, PostgresServer } from "../../support/postgres_server.ts";
import { redisAvailable, RedisServer } from "../../support/redis_server.ts";
import { projectFolder, readContainerfile } from "./container_file.ts";
import { Image, obstacle, type RunningContainer } from "./container_run.ts";

const KUBERNETES = { KUBERNETES_SERVICE_HOST: "10.96.0.1" };

const shop = `
import { Domain, on } from "@protean/server";
const schema = { "~standard": { version: 1, vendor: "shop", validate: (value) => ({ value }) } };
export const domain = new Domain("shop");
const Order = domain.aggregate("Order", { schema });
const PlaceOrder = domain.command("PlaceOrder", { partOf: Order, schema });
domain.commandHandler("OrderCommandHandler", {
  partOf: Order,
  handles: [on(PlaceOrder, ({ orderId }, ctx) => ctx.repository(Order).add(Order.create({ id: orderId })))],
});
`;

/** Fails to load where SQLite has no folder for temporary files. */
const sorting = `
import { Domain } from "@protean/server";
import { DatabaseSync } from "node:sqlite";
const database = new DatabaseSync("/data/sorting.db");
database.exec(\`
  pragma cache_size = 10;
  create table words (word);
  with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)
    insert into words select hex(randomblob(500)) from n;
\`);
database.prepare("select word from words order by word").all();
database.close();
export const domain = new Domain("sorting");
`;

const reason = obstacle();
if (reason !== undefined) {
  const text = `NOT TESTED: the container image cannot be run here: ${reason}.\n`;
  if (Deno.env.get("CI")) throw new Error(text);
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}

function containerTest(name: string, work: (image: Image) => Promise<void>, possible = true): void {
  Deno.test({
    name,
    ignore: reason !== undefined || !possible,
    fn: async () => {
      await using image = await Image.assemble();
      await work(image);
    },
  });
}

/** Numbers of rows by table, from a database that nobody has open. */
function rows(file: string, tables: readonly string[]): Record<string, number> {
  const database = new DatabaseSync(file);
  try {
    return Object.fromEntries(
      tables.map((
        table,
      ) => [table, Number(database.prepare(`select count(*) n from ${table}`).get()?.["n"])]),
    );
  } finally {
    database.close();
  }
}

async function place(container: RunningContainer, domain: string, orderId: string): Promise<void> {
  const data = JSON.stringify({ orderId, amount: 10 });
  const send = ["send", `--domain=${domain}`, "PlaceOrder", "--data", data];
  const sent = await container.exec([...container.file.entrypoint, ...send]);
  assertEquals(sent.code, 0, sent.err);
}

Deno.test("the Containerfile ends in distroless cc with one executable, run by a number that is not root's, without a shell", async () => {
  const file = await readContainerfile();
  assertMatch(file.base, /\/distroless\/cc-debian12\b/);
  assertMatch(file.user, /^[1-9]\d*:[1-9]\d*$/);
  assertEquals(file.entrypoint, ["/usr/local/bin/protean-server"]);
  assertEquals(file.healthcheck, [...file.entrypoint, "healthcheck"]);
  assertEquals(file.ports, ["8080"]);
  assertEquals(file.running, []);
  const data = file.copies.find(({ target }) => file.volumes.includes(target));
  assertEquals([data?.target, data?.owner], [file.env["PROTEAN_DATA_DIR"], file.user]);
  for (const name of ["title", "description", "version", "revision", "source", "licenses"]) {
    assert(file.labels[`org.opencontainers.image.${name}`], `no label ${name}`);
  }
});

Deno.test("the Containerfile builds with the Deno of continuous integration, from files that the context holds", async () => {
  const { args, context } = await readContainerfile();
  assertStringIncludes(await Deno.readTextFile(`${projectFolder}.ci/run`), `deno@${args["DENO_VERSION"]} `);
  const ignore = (await Deno.readTextFile(`${projectFolder}.dockerignore`)).split("\n");
  const kept = ignore.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
  for (const path of kept) await Deno.stat(projectFolder + path);
  for (const path of context.filter((path) => path !== ".")) {
    assert(kept.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)), `${path} is ignored`);
  }
});

containerTest(
  "the image works as PID 1 of a user without rights on a read-only root, over kills and restarts",
  async (image) => {
    const server = await image.start(["--domain=my_domain"], { env: KUBERNETES });
    const status = await server.about("status");
    const [uid] = image.file.user.split(":");
    assertMatch(status, new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t${uid}$`, "m"));
    assertMatch(status, /^NSpid:\t\d+\t1$/m);
    assertMatch(status, /^CapEff:\t0+$/m);
    assertMatch(status, /^NoNewPrivs:\t1$/m);
    assertMatch(await server.about("mountinfo"), /^\S+ \S+ \S+ \S+ \/ ro\b/m);

    // Inside Kubernetes every interface answers, though the mounted domain.toml says nothing of it.
    const response = await fetch(`http://127.0.0.2:${image.port}/readyz`);
    assertEquals(response.status, 200);
    await response.body?.cancel();
    const health = await server.exec(image.file.healthcheck);
    assertEquals(health.code, 0, health.err);

    await place(server, "my_domain", "o-1");
    await server.quiet();
    assertEquals(await server.end("SIGTERM"), 0, await server.log());

    const killed = await image.start(["--domain=my_domain"], { env: KUBERNETES });
    await place(killed, "my_domain", "o-2");
    await killed.end("SIGKILL");
    const last = await image.start(["--domain=my_domain"], { env: KUBERNETES });
    await last.quiet();
    assertEquals(await last.end("SIGTERM"), 0, await last.log());
    const tables = ["protean_my_domain_order", "protean_my_domain_view_order_summary"];
    assertEquals(
      rows(`${image.data}/my_domain.db`, tables),
      Object.fromEntries(tables.map((table) => [table, 2])),
    );
  },
);

containerTest("the image runs a domain that is mounted beside its configuration", async (image) => {
  await image.mount("domain.js", shop);
  const server = await image.start(["--domain=/app/domain.js"]);
  await place(server, "/app/domain.js", "o-1");
  await server.quiet();
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
  assertEquals(rows(`${image.data}/shop.db`, ["protean_shop_order"]), { protean_shop_order: 1 });
});

containerTest(
  "what SQLite cannot sort in memory finds room on the volume, the only place to write",
  async (image) => {
    await image.mount("domain.js", sorting);
    const { code, err } = await image.run(["--domain=/app/domain.js", "--once"]);
    assertEquals(code, 0, err);
  },
);

containerTest(
  "the image's own configuration listens on every interface, for a published port",
  async (image) => {
    await image.mount("domain.toml");
    const printed = await image.run(["config", "print", "--domain=my_domain", "--json"]);
    assertEquals(printed.code, 0, printed.err);
    assertEquals(JSON.parse(printed.out).data.config.server.health.host, "0.0.0.0");
  },
);

containerTest("the image says in one sentence that it has nowhere to write, and exits 2", async (image) => {
  const { code, out, err } = await image.run(["--domain=my_domain"], { volumes: false });
  assertEquals(code, 2, err);
  assertMatch(err, /The SQLite file \/data\/my_domain\.db cannot be opened .* may write to/);
  assert(!/^ +at /m.test(err), err);
  assertEquals(out, "");
});

containerTest("on Redis and PostgreSQL the image needs nowhere to write", async (image) => {
  await using postgres = await PostgresServer.start();
  await using redis = await RedisServer.start();
  const database = await postgres.createDatabase();
  const servers = serversConfig({ database: database.uri(), redis: redis.uri });
  await image.mount("domain.toml", `[server.health]\nport = ${image.port}\n${servers}`);
  const options = { volumes: false };
  const setUp = await image.run(["db", "setup", "--domain=my_domain"], options);
  assertEquals(setUp.code, 0, setUp.err);
  const server = await image.start(["--domain=my_domain"], options);
  await place(server, "my_domain", "o-1");
  await server.quiet();
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
  assertEquals(await database.sql("select count(*) from protean_my_domain_order"), ["1"]);
}, postgresAvailable && redisAvailable);
