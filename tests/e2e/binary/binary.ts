/**
 * The compiled executable that the tests of this folder are about.
 *
 * @module
 */

/** Its path. Throws when `PROTEAN_BINARY` does not name one: `deno task e2e` compiles it and does. */
export function binary(): string {
  const path = Deno.env.get("PROTEAN_BINARY");
  if (!path) {
    throw new Error(
      "PROTEAN_BINARY names no executable: run 'deno task e2e', which compiles one and tests it.",
    );
  }
  return path;
}

/** Whether the runtime inside it is that of Deno 2.`minor` or later. */
export async function builtWithDeno2(minor: number): Promise<boolean> {
  const { stdout } = await new Deno.Command(binary(), { args: ["version", "--json"] }).output();
  const [major = 0, found = 0] = String(JSON.parse(new TextDecoder().decode(stdout)).data.deno).split(".")
    .map(Number);
  return major > 2 || (major === 2 && found >= minor);
}
