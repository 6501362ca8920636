/**
 * What a resource of the observatory is: a path and who answers it. Requests and responses are the web's,
 * so that any router can stand before them.
 *
 * @module
 */

/** Rejects with what `failure.ts` makes an answer of. */
export type Route = (request: Request) => Promise<Response>;

/** By path; one that ends in `/` stands for everything below it. */
export type RouteTable = ReadonlyMap<string, Route>;

/** JSON, as every endpoint but `/metrics` answers. */
export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
}
