/**
 * Whether an address means this machine alone.
 *
 * @module
 */

/** True for `localhost`, 127.0.0.0/8 and `::1`, in brackets or not. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return bare === "localhost" || bare === "::1" || /^127(\.\d+){3}$/.test(bare);
}
