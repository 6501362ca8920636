import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { type PasswordSource, passwordSource } from "../../../lib/adapters/password.ts";
import { type Clock, systemClock } from "../../../lib/async/clock.ts";
import { ConfigurationError, RefusedError } from "../../../lib/errors.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

const SECTION = "databases.default";

function sourceOf(settings: Record<string, unknown>, clock: Clock = systemClock): PasswordSource {
  const source = passwordSource(SECTION, settings, { clock, inUri: false });
  if (!source) throw new Error("no source");
  return source;
}

const read = (settings: Record<string, unknown>) => sourceOf(settings).read(undefined);

/** Runs `work` with the path of a file in a folder of its own. */
async function withFile(work: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(`${folder}/password`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const node = (code: string) => [Deno.execPath(), "eval", code];

Deno.test("passwordSource is none where nothing is named, or an overlay has taken it back", () => {
  for (const settings of [{}, { password_file: "" }, { password_command: [] }]) {
    assertEquals(passwordSource(SECTION, settings, { clock: systemClock, inUri: true }), undefined);
  }
});

Deno.test("two passwords are refused with both names", () => {
  const both = { password_file: "/a", password_command: ["b"] };
  const make = (settings: Record<string, unknown>, inUri: boolean) => () =>
    passwordSource(SECTION, settings, { clock: systemClock, inUri });
  assertThrows(
    make(both, false),
    ConfigurationError,
    "'databases.default.password_command' name a password each",
  );
  assertThrows(make({ password_file: "/a" }, true), ConfigurationError, "the URI name a password each");
  assertThrows(make({ password_command: ["b"] }, true), ConfigurationError, "the URI name a password each");
});

Deno.test("a password file is read anew each time, without the line's end", async () => {
  await withFile(async (path) => {
    const source = sourceOf({ password_file: path });
    for (const [text, password] of [["one", "one"], ["two\n", "two"], [" th:ree@%20 \r\n", " th:ree@%20 "]]) {
      await Deno.writeTextFile(path, text ?? "");
      assertEquals(await source.read(undefined), password);
    }
  });
});

const wrong: readonly (readonly [what: string, bytes: Uint8Array, part: string])[] = [
  ["is empty", new Uint8Array(), "is empty"],
  ["holds a line's end alone", new Uint8Array([10]), "is empty"],
  ["has two lines", new TextEncoder().encode("a\nb\n"), "has several lines"],
  ["has a NUL", new Uint8Array([97, 0, 98]), "NUL character"],
  ["is no text", new Uint8Array([0xff, 0xfe]), "is no UTF-8 text"],
  ["is large", new Uint8Array(65 * 1024).fill(97), "is larger than 64 KiB"],
];
for (const [what, bytes, part] of wrong) {
  Deno.test(`a password file that ${what} is refused, and what is in it is not told`, async () => {
    await withFile(async (path) => {
      await Deno.writeFile(path, bytes);
      const error = await assertRejects(() => read({ password_file: path }), RefusedError, part);
      assertStringIncludes(error.message, "'databases.default.password_file'");
      assertEquals(error.code, "PASSWORD_FILE");
    });
  });
}

Deno.test("a password file that is not there, or no file, is refused", async () => {
  await withFile(async (path) => {
    await assertRejects(() => sourceOf({ password_file: path }).check(), RefusedError, "does not exist");
    await Deno.mkdir(path);
    await assertRejects(() => sourceOf({ password_file: path }).check(), RefusedError, "is a folder");
  });
  await assertRejects(() => sourceOf({ password_file: "/dev/zero" }).check(), RefusedError, "is no file");
});

Deno.test("a password command runs for every password, with its arguments as they are", async () => {
  await withFile(async (path) => {
    const code = `Deno.writeTextFileSync(${JSON.stringify(path)}, "x", { append: true });
      console.log(Deno.args.join("|") + Deno.statSync(${JSON.stringify(path)}).size)`;
    const source = sourceOf({ password_command: [...node(code), "$HOME; exit 3", "a b"] });
    await source.check();
    assertEquals(await source.read(undefined), "$HOME; exit 3|a b1");
    assertEquals(await source.read(undefined), "$HOME; exit 3|a b2");
  });
});

const failing: readonly (readonly [what: string, code: string, part: string])[] = [
  ["fails", "console.log('s3cret'); console.error('s3cret'); Deno.exit(3)", "has failed (exit code 3)"],
  ["is killed", "Deno.kill(Deno.pid, 'SIGKILL')", "has failed (signal SIGKILL)"],
  ["writes nothing", "", "is empty"],
  ["writes several lines", "console.log('s3cret'); console.log('s3cret')", "has several lines"],
  ["writes without end", "for (;;) console.log('s3cret'.repeat(1000))", "more than 64 KiB"],
];
for (const [what, code, part] of failing) {
  Deno.test(`a password command that ${what} is tried again later, and what it wrote is not told`, async () => {
    const error = await assertRejects(() => read({ password_command: node(code) }), Error, part);
    assertEquals([error instanceof ConfigurationError, error.message.includes("s3cret")], [false, false]);
    assertStringIncludes(error.message, "'databases.default.password_command'");
  });
}

Deno.test("a password command that cannot be started is refused", async () => {
  await assertRejects(
    () => read({ password_command: ["/nowhere/at/all"] }),
    RefusedError,
    "cannot be started",
  );
});

Deno.test("a password command that does not end is killed after 10 s", async () => {
  const clock = new FakeClock();
  const source = sourceOf({ password_command: ["sleep", "600"] }, clock);
  const late = assertRejects(() => source.read(undefined), Error, "has not ended within 10 s");
  while (clock.pending === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await clock.advance(10_000);
  await late;
  assertEquals(clock.pending, 0);
});

Deno.test("a password command is killed when nobody waits for it any more", async () => {
  const abort = new AbortController();
  const source = sourceOf({ password_command: ["sleep", "600"] });
  const cut = assertRejects(() => source.read(abort.signal), Error, "drained");
  abort.abort(new Error("drained"));
  await cut;
});

Deno.test("a password command without the permission to run programs is refused with what to do", async () => {
  const module = new URL("../../../lib/adapters/password.ts", import.meta.url).href;
  const code = `import { passwordSource } from "${module}";
    import { systemClock } from "${new URL("../../../lib/async/clock.ts", import.meta.url).href}";
    const source = passwordSource("brokers.default", { password_command: ["echo"] }, { clock: systemClock });
    await source.check().catch((error) => console.log(error.code, error.message));`;
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/main.ts`, code);
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--no-prompt", "--allow-read", "--allow-env", `${folder}/main.ts`],
      stderr: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertStringIncludes(text, "PASSWORD_COMMAND 'brokers.default.password_command' cannot be obeyed");
    assertStringIncludes(text, "--allow-run");
    assertStringIncludes(text, "'password_file'");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
