/**
 * A port that nothing listens on at this moment.
 *
 * @module
 */

/** Another process may take it first: whoever starts a server on it tries again with a new one. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}
