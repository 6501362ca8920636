/**
 * A domain that `new` has written becomes an executable of its own, of what is in its folder and npm's packages:
 * no registry has the library.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Installation } from "../server.ts";
import { run } from "../run.ts";
import { binary } from "./binary.ts";

/** Runs Deno, or the one that compiles, in `cwd`. */
async function deno(cwd: string, args: readonly string[], program = Deno.execPath()): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args: [...args], cwd }).output();
  assert(success, `deno ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

Deno.test("the executable of a new domain handles what is sent to it and drains, with nothing of its sources", async () => {
  const home = await Deno.makeTempDir({ prefix: "protean-new-" });
  try {
    const written = await run(["new", "my-shop"], { cwd: home, program: [binary()] });
    assertEquals(written.code, 0, written.err);
    const source = `${home}/my-shop`;
    // Which is what `deno task compile` does, with one Deno for both.
    await deno(source, ["task", "bundle"]);
    await deno(source, ["task", "embed"], Deno.env.get("DENO_COMPILE") || Deno.execPath());
    await Deno.rename(`${source}/my-shop`, `${home}/alone`);
    await Deno.remove(source, { recursive: true });
    await using at = await Installation.create("", {
      domain: "my_shop",
      program: [`${home}/alone`],
      embedded: true,
    });
    const server = await at.start();
    const sent = await at.command(["send", "PlaceOrder", "--data", '{"orderId":"o-1","amount":10}']);
    assertEquals(sent.code, 0, sent.err);
    await server.until(async () => (await server.log()).includes("is on its way"), "the event to be handled");
    assertEquals(await server.end("SIGTERM"), 0, await server.log());
    assertStringIncludes(
      (await at.command(["config", "print", "--origin"])).out,
      "from the embedded domain.toml",
    );
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});
