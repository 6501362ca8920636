/**
 * Domains on disk (design 5), from source and in the executable: where they may be, what they may use, whose
 * library they get.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { sentence } from "./run.ts";
import { Workshop } from "./workshop.ts";

/** What the handler and the projector of a finished job report. */
const FINISHED = [
  {
    done: "j-finish",
    motto: "Measure twice, cut once.",
    library: { domain: true, broker: true, health: true, testing: "function" },
  },
  { reported: "j-finish", cached: 7 },
];

for (
  const [what, domain] of [
    ["a file", "./workshop/domain.js"],
    ["a file without ./", "workshop/domain.js"],
    ["a file without its extension", "./workshop/domain"],
    ["a folder", "./workshop"],
    ["an export of a file with several domains", "./workshop/several.js:workshop"],
  ] as const
) {
  Deno.test(`${what} on disk is served: relative imports, JSON, text, built-in modules and every module of the library`, async () => {
    await using workshop = await Workshop.create();
    await workshop.work(["finish"], [`--domain=${domain}`]);
    assertEquals(await workshop.lines(), FINISHED);
  });
}

Deno.test("a folder with mod.js is served, and so is an absolute path with spaces, #, %, ? and letters beyond ASCII", async () => {
  await using workshop = await Workshop.create("wörk shop #1 50% ?&");
  await Deno.rename(`${workshop.folder}/domain.js`, `${workshop.folder}/mod.js`);
  await workshop.work(["finish"], ["--domain", workshop.folder]);
  assertEquals(await workshop.lines(), FINISHED);
});

Deno.test("PROTEAN_DOMAIN names the domain, and the flag beats it", async () => {
  await using workshop = await Workshop.create();
  const env = { PROTEAN_DOMAIN: "./workshop/several.js:workshop" };
  await workshop.work(["finish"], [], { env });
  assertEquals(await workshop.lines(), FINISHED);
  const other = await workshop.run(["config", "print", "--domain=./workshop/nope.js"], { env });
  assertStringIncludes(sentence(other), "no domain './workshop/nope.js' (--domain)");
});

Deno.test("without a name the domain of the current folder is served", async () => {
  await using workshop = await Workshop.create();
  await workshop.work(["finish"], [], { cwd: workshop.folder });
  assertEquals(await workshop.lines("report", workshop.folder), FINISHED);
});

Deno.test("the databases of a domain on disk are beside its domain.toml, or in PROTEAN_DATA_DIR", async () => {
  await using workshop = await Workshop.create();
  const databases = (folder: string) =>
    [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(".db")).sort();
  await workshop.work(["finish"], ["--domain=./workshop"]);
  assertEquals(databases(workshop.folder), ["workshop-streams.db", "workshop.db"]);
  const data = `${workshop.home}/data`;
  await Deno.mkdir(data);
  await workshop.work(["finish"], ["--domain=./workshop"], { env: { PROTEAN_DATA_DIR: data } });
  assertEquals(databases(data), ["workshop-streams.db", "workshop.db"]);
  assertEquals(databases(workshop.home), []);
});

Deno.test("a bundle is served from a folder where nothing else is, the library left out of it", async () => {
  await using workshop = await Workshop.create();
  const file = `${workshop.home}/bundle.js`;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bundle", "--quiet", "--platform=deno", "--external=@protean/server", "--unstable-raw-imports"],
      ...["--output", file, `${workshop.folder}/domain.js`],
    ],
    cwd: workshop.home,
  }).output();
  assertEquals(success, true, new TextDecoder().decode(stderr));
  await Deno.remove(workshop.folder, { recursive: true });
  await workshop.work(["finish"], ["--domain=./bundle.js"]);
  assertEquals(await workshop.lines(), FINISHED);
});

Deno.test("the classes are the library's own: what it throws is recognised by the domain, and what the domain throws by it", async () => {
  await using workshop = await Workshop.create();
  const domain = "--domain=./workshop";
  await workshop.work(["refuse"], [domain]);
  assertEquals(await workshop.lines(), [{ refused: true }, { refused: true }]);
  const listed = await workshop.run(["dlq", "list", "--json", domain]);
  const { messages } = JSON.parse(listed.out).data;
  assertEquals(messages.length, 1);
  assertStringIncludes(messages[0].failure_reason, "ValidationError: ");
  assertEquals(messages[0].retry_count, 2);
  // Five runs where two attempts are all there is: an UnavailableError is not counted as one.
  await workshop.work(["falter"], [domain]);
  assertEquals((await workshop.lines()).slice(2), [1, 2, 3, 4, 5].map((run) => ({ run })));
  const again = await workshop.run(["dlq", "list", "--json", domain]);
  assertEquals(JSON.parse(again.out).data.count, 1, "the job that faltered is no dead letter");
});

Deno.test("adapters of its own are named in domain.toml by their modules, and extend the very base classes", async () => {
  const sections = `
[caches.default]
provider = "./adapters/box.js#Box"
lid = "oak"
[brokers.chute]
provider = "./adapters/chute.js"
`;
  await using workshop = await Workshop.create("workshop", `[server.health]\nenabled = false\n${sections}`);
  await workshop.work(["finish"], ["--domain=./workshop"]);
  assertEquals(await workshop.lines(), FINISHED);
  assertEquals(await workshop.lines("box"), [{ key: "j-finish", value: "7", lid: "oak" }]);
  assertEquals(await workshop.lines("chute"), [{ name: "chute", isBroker: true }]);
});

Deno.test("an adapter that cannot be loaded is exit 2, and the sentence names it and why", async () => {
  await using workshop = await Workshop.create(
    "workshop",
    '[caches.default]\nprovider = "./adapters/bx.js"\n',
  );
  const ended = await workshop.run(["server", "--once", "--domain=./workshop"]);
  assertEquals(ended.code, 2, ended.err);
  assertStringIncludes(sentence(ended), "The cache adapter './adapters/bx.js' cannot be loaded: ");
  assertStringIncludes(ended.err, `${workshop.folder}/adapters/bx.js`);
});
