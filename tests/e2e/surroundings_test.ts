/**
 * What surrounds a process and is not as it should be: descriptors that are closed, readers that go, domains
 * that do not load. One clear sentence and the right exit code each, and nothing that was sent is lost. What
 * takes another user is in `binary/permissions_test.ts`.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { withFiles } from "./files.ts";
import { run, sentence } from "./run.ts";
import { type Finished, Installation, program, RunningServer } from "./server.ts";

const LIBRARY = 'import { Domain } from "@protean/server";\n';

for (
  const [what, files, message] of [
    [
      "imports a missing package",
      { "lib/mail.js": 'import "leftpad";', "domain.js": 'import "./lib/mail.js";' },
      /: '[^']+\/lib\/mail\.js' imports the package 'leftpad', which .+: .+, or bundle the domain to one \.js file/,
    ],
    [
      "misspells the library",
      { "domain.js": 'import { Domain } from "@protean/sever";' },
      /imports '@protean\/sever', which does not exist; did you mean '@protean\/server'/,
    ],
    [
      "imports a missing file",
      { "domain.js": 'import "./lib/nope.js";' },
      /'[^']+\/lib\/nope\.js', which does not exist/,
    ],
    [
      "has a syntax error",
      { "domain.js": 'import "./rules.js";', "rules.js": "const a = 1;\nexport const = a;\n" },
      /Unexpected token .+\/rules\.js:2:14\)/,
    ],
    [
      "throws at its top level",
      { "domain.js": 'import "./licence.js";', "licence.js": '\nthrow new Error("no licence\\nat all");\n' },
      /: no licence \([^)]+\/licence\.js:2:\d+\)/,
    ],
    [
      "misuses the library",
      { "domain.js": `${LIBRARY}\n\nexport const domain = new Domain("");` },
      /domain\.js:4:\d+\)/,
    ],
    [
      "imports what is not exported",
      { "domain.js": 'import { nope } from "./lib.js";', "lib.js": "export const a = 1;" },
      /'\.\/lib\.js' does not provide an export named 'nope' \([^)]+\/domain\.js:1:\d+\)/,
    ],
    ["is CommonJS", { "domain.js": "module.exports = {};" }, /\/domain\.js' is CommonJS/],
    ["has no domain", { "domain.js": "export const shop = 1;" }, /exports no Domain: it exports shop\./],
  ] as const
) {
  Deno.test(`a domain that ${what} is exit 2 and one sentence that says where`, () =>
    withFiles(files, async (cwd) => {
      const ended = await run(["server", "--once"], { cwd });
      assertEquals(ended.code, 2, ended.err);
      assertMatch(sentence(ended), message);
      assertEquals(sentence(ended).includes("file://"), false, ended.err);
    }));
}

/** Runs the program in a shell that closes or redirects its descriptors. */
function redirected(
  installation: Installation,
  redirections: string,
  args: readonly string[],
): Promise<Finished> {
  const named = ["--domain=my_domain", `--config=${installation.config}`];
  return run([...args, ...named], {
    cwd: installation.folder,
    program: ["sh", "-c", `"$@" ${redirections}`, "sh", ...program()],
  });
}

const order = (id: string) => ["send", "PlaceOrder", "--data", JSON.stringify({ orderId: id, amount: 5 })];

Deno.test("with stdin, stdout and stderr closed messages are sent and handled all the same, exit 0", async () => {
  await using installation = await Installation.create();
  for (const [id, closed] of [["a", "<&-"], ["b", "<&- >&-"], ["c", "<&- >&- 2>&-"]] as const) {
    assertEquals((await redirected(installation, closed, order(id))).code, 0, closed);
  }
  const served = await redirected(installation, "<&- >&- 2>&-", ["server", "--once"]);
  assertEquals(served.code, 0);
  for (const id of ["a", "b", "c"]) {
    const doubled = await installation.command([...order(id), "--sync"]);
    assertStringIncludes(doubled.err, "line 1: ", `order ${id} was not handled`);
  }
  const sound = await installation.command(["dlq", "list"]);
  assertEquals([sound.code, sound.err], [0, ""], "a descriptor of the log was taken for one of the database");
});

Deno.test("with stderr closed a failure still has its exit code", async () => {
  await using installation = await Installation.create();
  const ended = await redirected(installation, "2>&-", ["dlq", "lst"]);
  assertEquals([ended.code, ended.err], [2, ""]);
});

Deno.test("send - with stdin closed sends nothing, and with a folder as stdin says so", async () => {
  await using installation = await Installation.create();
  const closed = await redirected(installation, "<&-", ["send", "PlaceOrder", "-"]);
  assertEquals([closed.code, closed.out], [0, "0 sent, 0 refused: MyDomain.PlaceOrder.v1.\n"], closed.err);
  const folder = await redirected(installation, "</", ["send", "PlaceOrder", "-"]);
  assertEquals(folder.code, 2, folder.err);
  assertStringIncludes(sentence(folder), "Cannot read stdin: ");
});

Deno.test("where nobody can be asked, what destroys data asks for --yes", async () => {
  await using installation = await Installation.create();
  const ended = await redirected(installation, "<&-", ["db", "drop"]);
  assertEquals(ended.code, 2, ended.err);
  assertStringIncludes(sentence(ended), "--yes");
});

Deno.test("a reader that has seen enough ends a long output without a word, exit 0", async () => {
  await using installation = await Installation.create();
  const [command = "", ...before] = program();
  const child = new Deno.Command(command, {
    args: [...before, "config", "schema"],
    cwd: installation.folder,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assert(value && value.length < 70_000, "the output fitted into the pipe, which proves nothing");
  await reader.cancel();
  assertEquals((await child.status).code, 0);
  assertEquals(await new Response(child.stderr).text(), "");
});

Deno.test({
  name: "output that finds no room is exit 1 and one sentence: a part is not taken for the whole",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using installation = await Installation.create();
    const ended = await redirected(installation, ">/dev/full", ["config", "print"]);
    assertEquals(ended.code, 1, ended.err);
    assertStringIncludes(sentence(ended), "Not all of the output could be written: No space left on device");
  },
});

Deno.test("a server whose log nobody reads any more runs on, and drains with exit 0", async () => {
  await using installation = await Installation.create();
  const [command = "", ...before] = program();
  const child = new Deno.Command(command, {
    args: [...before, "server", "--domain=my_domain", "--log-level=debug"],
    cwd: installation.folder,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  await child.stderr.cancel();
  // What stands for its log is never written.
  const server = new RunningServer(child, installation.port, installation.config, Promise.resolve());
  try {
    await server.ready();
    const sent = await installation.command(order("a"));
    assertEquals(sent.code, 0, sent.err);
    await server.quiet();
  } finally {
    assertEquals(await server.end("SIGTERM"), 0);
  }
});
