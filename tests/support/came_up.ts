/**
 * Servers that tests start as processes of their own.
 *
 * @module
 */

/**
 * Resolves with true as soon as `isUp` says so. Otherwise the process has ended, or is ended with `signal`
 * after `timeoutMs`, and it resolves with false.
 */
export async function cameUp(
  process: Deno.ChildProcess,
  isUp: () => boolean | Promise<boolean>,
  { timeoutMs, signal = "SIGKILL" }: { readonly timeoutMs: number; readonly signal?: Deno.Signal },
): Promise<boolean> {
  let exited = false;
  void process.status.then(() => exited = true);
  const deadline = performance.now() + timeoutMs;
  while (!exited && performance.now() < deadline) {
    if (await isUp()) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if (!exited) process.kill(signal);
  await process.status;
  return false;
}
