/** Components whose answers tests choose. */
import type { Component } from "../../../lib/health/types.ts";

/** A component that answers as told, and remembers how often it was asked. */
export class FakeComponent implements Component {
  pings = 0;
  mode: "ok" | "fails" | "hangs" | "ignores its signal" = "ok";

  constructor(readonly kind: Component["kind"] = "provider", readonly name = "default") {}

  ping(signal: AbortSignal): Promise<void> {
    this.pings++;
    if (this.mode === "ok") return Promise.resolve();
    if (this.mode === "fails") return Promise.reject(new Error("connection refused"));
    return new Promise((_resolve, reject) => {
      if (this.mode === "hangs") {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }
    });
  }
}
