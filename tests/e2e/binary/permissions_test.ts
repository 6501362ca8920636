/**
 * Folders and files that a user may not write to or read, a disk without room, and an environment without a
 * home.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { run, sentence } from "../run.ts";
import { type Finished, sampleOrders } from "../server.ts";
import { mountObstacle, PublicFolder, rootlessObstacle, skipped } from "./nobody.ts";

const DOMAIN = "--domain=my_domain";
const send = ["send", DOMAIN, "PlaceOrder", "--data", '{"orderId":"a","amount":5}'];
const once = ["server", DOMAIN, "--once"];
const HEALTH_OFF = "[server.health]\nenabled = false\n";

const rootless = skipped("a user without rights", rootlessObstacle());

function nobodyTest(name: string, work: (folder: PublicFolder) => Promise<void>): void {
  Deno.test({
    name,
    ignore: rootless,
    fn: async () => {
      await using folder = await PublicFolder.create();
      await work(folder);
    },
  });
}

/** The sentences of a command that ends with exit 2: a first one, and below it what it counts. */
function problems({ code, err }: Finished): string {
  assertEquals(code, 2, err);
  const lines = err.trim().split("\n").filter((line) => !line.startsWith("{"));
  assertMatch(lines[0] ?? "", /^Error: .+[.:]$/);
  for (const line of lines.slice(1)) assertMatch(line, /^ {2}\S.*\.$/);
  return lines.join("\n");
}

nobodyTest(
  "beside an executable that may not be written to, with no HOME and no other environment, everything works",
  async (folder) => {
    const cwd = await folder.folder("rw", 0o777);
    await Deno.writeTextFile(`${cwd}/domain.toml`, HEALTH_OFF);
    for (const args of [send, once, ["dlq", "list", DOMAIN], ["db", "setup", DOMAIN]]) {
      const { code, err } = await folder.run(args, cwd);
      assertEquals(code, 0, err);
    }
    const files = [...Deno.readDirSync(cwd)].map(({ name }) => name).sort();
    assertEquals(files, ["domain.toml", "my_domain-streams.db", "my_domain.db"]);
  },
);

for (const args of [send, once, ["dlq", "list", DOMAIN]]) {
  nobodyTest(
    `${args[0]} in a folder that may not be written to is exit 2, and says which files and what to do`,
    async (folder) => {
      const cwd = await folder.folder("ro", 0o555);
      const told = problems(await folder.run(args, cwd));
      assertStringIncludes(told, `The SQLite file ${cwd}/my_domain.db cannot be opened`);
      assertStringIncludes(told, "in a folder this process may write to");
      const data = await folder.folder("data", 0o777);
      const { code, err } = await folder.run(["db", "setup", DOMAIN], cwd, { PROTEAN_DATA_DIR: data });
      assertEquals(code, 0, err);
    },
  );
}

nobodyTest("a data folder that is not there is exit 2, and named", async (folder) => {
  const told = problems(await folder.run(send, folder.path, { PROTEAN_DATA_DIR: `${folder.path}/nowhere` }));
  assertStringIncludes(told, `${folder.path}/nowhere/my_domain.db`);
});

nobodyTest("a database that may only be read is exit 2, and its messages stay", async (folder) => {
  const cwd = await folder.folder("rw", 0o777);
  await Deno.writeTextFile(`${cwd}/domain.toml`, HEALTH_OFF);
  assertEquals((await folder.run(send, cwd)).code, 0);
  await Deno.chmod(`${cwd}/my_domain.db`, 0o444);
  await Deno.chmod(cwd, 0o555);
  assertStringIncludes(
    problems(await folder.run(once, cwd)),
    `The SQLite file ${cwd}/my_domain.db cannot be opened`,
  );
  await Deno.chmod(cwd, 0o777);
  await Deno.chmod(`${cwd}/my_domain.db`, 0o644);
  assertEquals((await folder.run(once, cwd)).code, 0);
  const again = await folder.run([...send, "--sync"], cwd);
  assertStringIncludes(again.err, "line 1: ", "the order was not handled");
});

nobodyTest("a domain or a domain.toml that may not be read is exit 2 and one sentence", async (folder) => {
  const cwd = await folder.folder("rw", 0o777);
  await Deno.writeTextFile(`${cwd}/domain.js`, "export const a = 1;");
  await Deno.chmod(`${cwd}/domain.js`, 0);
  const module = await folder.run(["server", "--once"], cwd);
  assertEquals(module.code, 2, module.err);
  assertStringIncludes(sentence(module), `'${cwd}/domain.js' failed while loading: the file cannot be read`);
  await Deno.writeTextFile(`${cwd}/domain.toml`, HEALTH_OFF);
  await Deno.chmod(`${cwd}/domain.toml`, 0);
  const config = await folder.run(once, cwd);
  assertEquals(config.code, 2, config.err);
  assertStringIncludes(sentence(config), "Cannot read 'domain.toml': Permission denied");
});

nobodyTest(
  "a temporary folder that may not be written to stops the demo alone, with one sentence",
  async (folder) => {
    const cwd = await folder.folder("rw", 0o777);
    await Deno.writeTextFile(`${cwd}/domain.toml`, HEALTH_OFF);
    const env = { TMPDIR: await folder.folder("ro", 0o555) };
    for (const args of [send, once]) assertEquals((await folder.run(args, cwd, env)).code, 0);
    const demo = await folder.run(["demo"], cwd, env);
    assertEquals(demo.code, 2, demo.err);
    assertStringIncludes(sentence(demo), "let TMPDIR name one that can be written to");
  },
);

/**
 * Sends the sample where only 1 MB is, makes room, sends the rest as it was told to, and works everything
 * off.
 */
const FULL_DISK = `
set -e
mount -t tmpfs -o size=1m tmpfs "$1"
cd "$1"
printf '[server.health]\\nenabled = false\\n' > domain.toml
code=0; "$2" send --domain=my_domain PlaceOrder --file "$3" > ../sent 2> ../refused || code=$?
echo $code > ../code
mount -o remount,size=64m "$1"
from=$(sed -n 's/.*Stopped at line \\([0-9]*\\),.*/\\1/p' ../refused)
tail -n +$from "$3" | "$2" send --domain=my_domain PlaceOrder - > ../rest
"$2" server --domain=my_domain --once 2> ../log
cp my_domain.db ..
`;

Deno.test({
  name:
    "a full disk stops send with one sentence that says where to go on; with room again none of the orders is lost",
  ignore: skipped("a full disk", mountObstacle()),
  fn: async () => {
    await using folder = await PublicFolder.create();
    const disk = await folder.folder("disk", 0o777);
    const script = ["unshare", "--mount", "sh", "-c", FULL_DISK, "sh"];
    const all = await run([disk, folder.program, sampleOrders], { cwd: folder.path, program: script });
    const read = (name: string) => Deno.readTextFile(`${folder.path}/${name}`);
    assertEquals(all.code, 0, all.err);
    assertEquals(await read("code"), "1\n");
    const refused = await read("refused");
    assertMatch(
      refused,
      /^Stopped at line \d+, send the rest again from there: The SQLite file .+ the disk is full: .+\n$/,
    );
    const count = async (name: string) => Number((await read(name)).split(" ", 1)[0]);
    const [first, rest] = [await count("sent"), await count("rest")];
    assert(first > 0 && rest > 0 && first + rest === 1000, `${first} and ${rest} were sent`);
    assertEquals(orders(`${folder.path}/my_domain.db`), 990);
  },
});

function orders(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return Number(database.prepare("select count(*) n from protean_my_domain_order").get()?.["n"]);
  } finally {
    database.close();
  }
}
