/**
 * The log of deliveries: one append-only file for each process, in the folder that the harness has started it
 * in, so that it outlives the process that writes it and no transaction can take a line back.
 *
 * @module
 */
import type { Delivery, Effect } from "./verdict.ts";

const encoder = new TextEncoder();
const PREFIX = "deliveries-";

let file: Deno.FsFile | undefined;

/** Notes that a handler has been started, before it does anything else. */
export function noteDelivery({ handler, key, n }: Effect): void {
  file ??= Deno.openSync(`${PREFIX}${Deno.pid}`, { create: true, append: true });
  file.writeSync(encoder.encode(`${handler} ${key} ${n}\n`));
}

/** Everything that any process has noted, its last line excepted while it is being written. */
export async function readDeliveries(folder: string): Promise<readonly Delivery[]> {
  const deliveries: Delivery[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.startsWith(PREFIX)) continue;
    const process = Number(name.slice(PREFIX.length));
    const lines = (await Deno.readTextFile(`${folder}/${name}`)).split("\n");
    for (const line of lines.slice(0, -1)) {
      const [handler = "", key = "", n] = line.split(" ");
      deliveries.push({ handler, key, n: Number(n), process });
    }
  }
  return deliveries;
}
