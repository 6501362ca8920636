import { assertEquals, assertRejects } from "@std/assert";
import { join, resolve } from "node:path";
import { loadConfig, type LoadOptions } from "../../../lib/config/load.ts";
import { ConfigurationError } from "../../../lib/errors.ts";
import { problemsOf, variables, withFolder } from "./support.ts";

/** The drain timeout tells which file was read. */
const file = (mark: number) => `[server]\ndrain_timeout_seconds = ${mark}\n`;

interface Case {
  readonly name: string;
  /** Files and their marks. */
  readonly files: Record<string, number>;
  /** Folders below the temporary one. */
  readonly cwd?: string;
  readonly module?: string;
  readonly executable?: string;
  readonly config?: string;
  readonly root?: string;
  readonly embedded?: number;
  /** The file that is read; undefined: none. */
  readonly expected: string | undefined;
}

const CASES: readonly Case[] = [
  {
    name: ".domain.toml comes before domain.toml (S24)",
    files: { "m/.domain.toml": 1, "m/domain.toml": 2 },
    module: "m",
    expected: "m/.domain.toml",
  },
  {
    name: "the parent is looked into after the module's folder (S24)",
    files: { "a/domain.toml": 1, "a/b/other.toml": 2 },
    module: "a/b",
    expected: "a/domain.toml",
  },
  {
    name: "the grandparent is looked into last (S24)",
    files: { "a/domain.toml": 1, "a/b/c/x": 2 },
    module: "a/b/c",
    expected: "a/domain.toml",
  },
  {
    name: "a third parent is not looked into",
    files: { "a/domain.toml": 1, "a/b/c/d/x": 2 },
    module: "a/b/c/d",
    expected: undefined,
  },
  {
    name: "the nearest folder wins, whatever the names",
    files: { "a/.domain.toml": 1, "a/b/domain.toml": 2 },
    module: "a/b",
    expected: "a/b/domain.toml",
  },
  {
    name: "pyproject.toml is not read",
    files: { "m/pyproject.toml": 1 },
    module: "m",
    expected: undefined,
  },
  {
    name: "--config wins over everything, relative to the current folder",
    files: { "c/other.toml": 1, "m/domain.toml": 2, "r/domain.toml": 3 },
    cwd: "c",
    module: "m",
    root: "r",
    config: "other.toml",
    expected: "c/other.toml",
  },
  {
    name: "DOMAIN_ROOT_PATH wins over the module's folder",
    files: { "r/domain.toml": 1, "m/domain.toml": 2 },
    module: "m",
    root: "r",
    expected: "r/domain.toml",
  },
  {
    name: "DOMAIN_ROOT_PATH may name a file of the domain",
    files: { "r/domain.toml": 1, "r/domain.py": 2 },
    root: "r/domain.py",
    expected: "r/domain.toml",
  },
  {
    name: "an empty DOMAIN_ROOT_PATH counts as unset",
    files: { "m/domain.toml": 1 },
    module: "m",
    root: "",
    expected: "m/domain.toml",
  },
  {
    name: "a module's domain does not look into the current folder",
    files: { "c/d/e/domain.toml": 1, "m/x": 2 },
    cwd: "c/d/e",
    module: "m",
    expected: undefined,
  },
  {
    name: "a compiled-in domain looks into the current folder first",
    files: { "c/domain.toml": 1, "e/domain.toml": 2 },
    cwd: "c",
    executable: "e",
    expected: "c/domain.toml",
  },
  {
    name: "a compiled-in domain looks beside the executable before any parent",
    files: { "c/domain.toml": 1, "c/d/x": 2, "e/domain.toml": 3 },
    cwd: "c/d",
    executable: "e",
    expected: "e/domain.toml",
  },
  {
    name: "a compiled-in domain looks into two parents",
    files: { "c/domain.toml": 1, "c/d/e/x": 2, "f/g/x": 3 },
    cwd: "c/d/e",
    executable: "f/g",
    expected: "c/domain.toml",
  },
  {
    name: "a file that is found replaces the embedded one",
    files: { "m/domain.toml": 1 },
    module: "m",
    embedded: 9,
    expected: "m/domain.toml",
  },
];

for (const { name, files, expected, ...where } of CASES) {
  Deno.test(`discovery: ${name}`, () =>
    withFolder(
      Object.fromEntries(Object.entries(files).map(([path, mark]) => [`0/1/2/3/${path}`, file(mark)])),
      async (temporary) => {
        const folder = join(temporary, "0/1/2/3");
        const loaded = await loadConfig(optionsIn(folder, where));
        assertEquals(loaded.path, expected && join(folder, expected));
        assertEquals(
          loaded.config.server.drain_timeout_seconds,
          expected === undefined ? 10 : files[expected],
        );
        assertEquals(loaded.warnings.map(({ code }) => code), expected ? [] : ["CONFIG_NOT_FOUND"]);
      },
    ));
}

function optionsIn(
  folder: string,
  { cwd = ".", module, executable, config, root, embedded }: Omit<Case, "name" | "files" | "expected">,
): LoadOptions {
  return {
    domain: "my_domain",
    cwd: resolve(folder, cwd),
    variables: variables(root === undefined ? {} : { DOMAIN_ROOT_PATH: root && join(folder, root) }),
    ...(module !== undefined && { moduleFolder: join(folder, module) }),
    ...(executable !== undefined && { executableFolder: join(folder, executable) }),
    ...(config !== undefined && { config }),
    ...(embedded !== undefined && { embedded: { text: file(embedded), file: "embedded.toml" } }),
  };
}

Deno.test("discovery: the embedded configuration is used, without a warning, where no file is found", () =>
  withFolder({ "a/b/c/x": "" }, async (folder) => {
    const loaded = await loadConfig(optionsIn(join(folder, "a/b/c"), { embedded: 7 }));
    assertEquals(loaded.config.server.drain_timeout_seconds, 7);
    assertEquals([loaded.path, loaded.warnings], [undefined, []]);
    assertEquals(loaded.origins.get("server.drain_timeout_seconds"), {
      kind: "file",
      path: ["server", "drain_timeout_seconds"],
      file: "embedded.toml",
      line: 2,
    });
  }));

Deno.test("a file that cannot be used is an error that names it, never a reason to take the next one", async () => {
  await withFolder(
    { "domain.toml": "", "folder/x": "", "large.toml": "#".repeat(1024 * 1024 + 1) },
    async (folder) => {
      await Deno.writeFile(join(folder, "latin.toml"), new Uint8Array([0x61, 0x3d, 0x22, 0xe9, 0x22]));
      await Deno.mkdir(join(folder, "odd", ".domain.toml"), { recursive: true });
      const cases: readonly (readonly [Partial<LoadOptions>, string, string])[] = [
        [{ config: "missing.toml" }, "CONFIG_NOT_FOUND", "missing.toml"],
        [{ config: "domain.toml/x" }, "CONFIG_NOT_FOUND", "domain.toml/x"],
        [{ config: "folder" }, "CONFIG_UNREADABLE", "folder"],
        [{ config: "large.toml" }, "CONFIG_UNREADABLE", "larger than 1 MiB"],
        [{ config: "latin.toml" }, "CONFIG_MALFORMED", "UTF-8"],
        [{ moduleFolder: join(folder, "odd") }, "CONFIG_UNREADABLE", ".domain.toml"],
        [{ variables: variables({ DOMAIN_ROOT_PATH: "nowhere" }) }, "CONFIG_NOT_FOUND", "nowhere"],
      ];
      for (const [options, code, text] of cases) {
        const error = await assertRejects(
          () => loadConfig({ domain: "d", cwd: folder, variables: variables(), ...options }),
          ConfigurationError,
          text,
        );
        assertEquals(error.code, code, text);
      }
    },
  );
});

Deno.test("a file of exactly 1 MiB is read", () =>
  withFolder({ "domain.toml": "#".repeat(1024 * 1024) }, async (folder) => {
    const loaded = await loadConfig({ domain: "d", cwd: folder, variables: variables() });
    assertEquals(loaded.path, join(folder, "domain.toml"));
  }));

Deno.test("malformed TOML is one problem with its line, and nothing of the file's text is repeated", async () => {
  const cases: readonly (readonly [string, number])[] = [
    ['a = 1\npassword = "hunter2\nb = 2\n', 2],
    ["[server]\n[server]\n", 2],
    ["x = hunter2\n", 1],
    ["a = 1\na = 2\n", 2],
    ["a = 9007199254740993\n", 1],
  ];
  for (const [text, line] of cases) {
    await withFolder({ "domain.toml": text }, async (folder) => {
      const options = { domain: "d", cwd: folder, variables: variables() };
      const [problem, ...others] = await problemsOf(loadConfig(options));
      assertEquals([problem?.code, problem?.file, problem?.line], ["CONFIG_MALFORMED", "domain.toml", line]);
      assertEquals(others, []);
      const error = await assertRejects(
        () => loadConfig(options),
        ConfigurationError,
        `domain.toml:${line}: `,
      );
      assertEquals(Deno.inspect(error).includes("hunter2"), false);
    });
  }
});

Deno.test("a byte order mark is no part of the configuration", () =>
  withFolder({ "domain.toml": "\uFEFF" + file(3) }, async (folder) => {
    const loaded = await loadConfig({ domain: "d", cwd: folder, variables: variables() });
    assertEquals(loaded.config.server.drain_timeout_seconds, 3);
    assertEquals(loaded.origins.get("server.drain_timeout_seconds")?.line, 2);
  }));

Deno.test("relative paths are relative to the file, embedded databases lie in PROTEAN_DATA_DIR or beside it", () =>
  withFolder({ "m/domain.toml": "" }, async (folder) => {
    const at = (options: Partial<LoadOptions>) =>
      loadConfig({ domain: "d", cwd: folder, variables: variables(), ...options });
    const beside = await at({ moduleFolder: join(folder, "m") });
    assertEquals([beside.folder, beside.dataFolder], [join(folder, "m"), join(folder, "m")]);
    const data = await at({
      moduleFolder: join(folder, "m"),
      variables: variables({ PROTEAN_DATA_DIR: "data" }),
    });
    assertEquals([data.folder, data.dataFolder], [join(folder, "m"), join(folder, "data")]);
    const object = await at({ config: {}, moduleFolder: join(folder, "m") });
    assertEquals([object.folder, object.dataFolder], [join(folder, "m"), folder]);
    const embedded = await at({ embedded: { text: "", file: "embedded.toml" } });
    assertEquals([embedded.folder, embedded.dataFolder], [folder, folder]);
  }));

/** A file two levels above the module, which anybody may have put there (L2, sec-config-parent). */
const SHARED = { "a/.domain.toml": file(1), "a/b/c/x": "" };

Deno.test("a configuration in a parent that everybody may write to is passed over, in one sentence", () =>
  withFolder({ ...SHARED, "domain.toml": file(2) }, async (folder) => {
    const shared = join(folder, "a");
    for (const mode of [0o777, 0o1777]) {
      await Deno.chmod(shared, mode);
      const { config, path, warnings } = await loadConfig(optionsIn(folder, { module: "a/b/c" }));
      assertEquals([path, config.server.drain_timeout_seconds], [undefined, 10]);
      assertEquals(warnings.map(({ code }) => code), ["CONFIG_UNTRUSTED", "CONFIG_NOT_FOUND"]);
      assertEquals(
        warnings[0]?.message,
        "The configuration 'a/.domain.toml' is not obeyed because everybody may write to its folder: " +
          "name it with --config, or move it.",
      );
      // Whoever names it means it.
      const named = await loadConfig(optionsIn(folder, { module: "a/b/c", config: "a/.domain.toml" }));
      assertEquals(named.config.server.drain_timeout_seconds, 1);
      const beside = await loadConfig(optionsIn(folder, { module: "a" }));
      assertEquals(beside.config.server.drain_timeout_seconds, 1);
    }
    await Deno.chmod(shared, 0o755);
    const kept = await loadConfig(optionsIn(folder, { module: "a/b/c" }));
    assertEquals(kept.config.server.drain_timeout_seconds, 1);
    await Deno.chmod(join(shared, ".domain.toml"), 0o666);
    const open = await loadConfig(optionsIn(folder, { module: "a/b/c" }));
    assertEquals(open.config.server.drain_timeout_seconds, 10);
  }));

Deno.test({
  name:
    "a configuration in a parent that a group may write to is passed over, unless the group is the owner's own",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withFolder(SHARED, async (folder) => {
      const [shared, toml] = [join(folder, "a"), join(folder, "a", ".domain.toml")];
      const found = async () => {
        const { path, warnings } = await loadConfig(optionsIn(folder, { module: "a/b/c" }));
        return path === undefined ? warnings[0]?.message : "obeyed";
      };
      const told = (why: string) =>
        `The configuration 'a/.domain.toml' is not obeyed because ${why}: name it with --config, or move it.`;
      await Deno.chmod(shared, 0o775);
      assertEquals(await found(), told("its folder's group may write to that folder"));
      await Deno.chown(shared, 0, 4242);
      assertEquals(await found(), told("its folder's group may write to that folder"));
      await Deno.chmod(shared, 0o755);
      assertEquals(await found(), "obeyed");
      await Deno.chmod(toml, 0o664);
      assertEquals(await found(), told("its group may write to it"));
      // The group of a user alone, as most systems give it.
      for (const path of [join(folder, "a/b/c"), shared, toml]) await Deno.chown(path, 4242, 4242);
      await Deno.chmod(shared, 0o775);
      assertEquals(await found(), "obeyed");
    }),
});

Deno.test("a pipe in such a parent does not hang the start", () =>
  withFolder({ "a/b/c/x": "" }, async (folder) => {
    const { success } = await new Deno.Command("mkfifo", { args: [join(folder, "a/domain.toml")] }).output();
    assertEquals(success, true);
    await Deno.chmod(join(folder, "a"), 0o777);
    const { path } = await loadConfig(optionsIn(folder, { module: "a/b/c" }));
    assertEquals(path, undefined);
  }));

Deno.test({
  name: "a configuration of another user is passed over in a parent and refused in a shared current folder",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withFolder(SHARED, async (folder) => {
      const shared = join(folder, "a");
      await Deno.chown(join(shared, ".domain.toml"), 4242, 4242);
      const above = await loadConfig(optionsIn(folder, { module: "a/b/c" }));
      assertEquals([above.path, above.warnings[0]?.code], [undefined, "CONFIG_UNTRUSTED"]);
      assertEquals(
        (await loadConfig(optionsIn(folder, { cwd: "a" }))).config.server.drain_timeout_seconds,
        1,
      );
      await Deno.chmod(shared, 0o1777);
      await assertRejects(
        () => loadConfig(optionsIn(folder, { cwd: "a" })),
        ConfigurationError,
        "is not obeyed because somebody else put it into a folder that everybody may write to",
      );
      // A container knows the files that it is given by the owner of their folder.
      await Deno.chown(shared, 4242, 4242);
      await loadConfig(optionsIn(folder, { cwd: "a" }));
    }),
});
