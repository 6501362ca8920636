/**
 * Asks a Redis server for a PONG every few milliseconds, from a thread of its own, so that what waits is the
 * server and not the process that is measured. Told `port`, it answers every later message with the longest
 * wait since the one before, in milliseconds.
 *
 * @module
 */
const EVERY_MS = 2;

declare const self: Worker & typeof globalThis;

let longest = 0;

async function ping(port: number): Promise<never> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const [ask, answer] = [new TextEncoder().encode("PING\r\n"), new Uint8Array(64)];
  while (true) {
    const began = performance.now();
    await connection.write(ask);
    await connection.read(answer);
    longest = Math.max(longest, performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

self.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
  if (typeof data === "number") ping(data);
  else self.postMessage(longest);
  longest = 0;
});
