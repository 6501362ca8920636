/** Rule: passwords and tokens that stand in the file (CFG-3). @module */
import { isSecretKey } from "../../config/secrets.ts";
import { leaves } from "../../config/tree.ts";
import { dotted } from "../../config/tree.ts";
import { placeOf } from "../../diagnostics.ts";
import { isDevelopment } from "../environment.ts";
import type { RuleOf } from "../rule.ts";

export const plaintextSecret: RuleOf<"start"> = {
  code: "PLAINTEXT_SECRET",
  level: "warning",
  category: "configuration",
  stage: "start",
  fires:
    "a password in an address, or the value of a key that names a secret, stands in domain.toml itself, unless " +
    "`PROTEAN_ENV` is development or testing.",
  rationale:
    "A configuration is committed, copied into images and shown in tickets; who reads it has the password.",
  remedy: "Write ${VAR} there, and let the environment or a mounted secret say it.",
  mend: 'database_uri = "${DATABASE_URL}"',
  *find({ loaded }) {
    if (isDevelopment(loaded.env)) return;
    for (const { path, value } of leaves(loaded.written ?? {})) {
      const key = dotted(path);
      const origin = loaded.origins.get(key);
      if (!origin || origin.kind === "code") continue;
      const name = String(path.findLast((part) => typeof part === "string") ?? "");
      // A command or a file is where the secret is read from.
      if (/_(file|command)$/.test(name)) continue;
      const texts = (Array.isArray(value) ? value : [value]).filter((item) => typeof item === "string");
      if (!texts.some((text) => isWritten(text, isSecretKey(name)))) continue;
      yield {
        key,
        message: `'${key}' holds a secret in plain text.`,
        ...placeOf(origin),
      };
    }
  },
};

/** Whether something secret remains when everything that the environment says is taken away. */
function isWritten(text: string, isSecret: boolean): boolean {
  const plain = text.replace(/\$\{[^}|]*(?:\|([^}]*))?\}/g, (_, otherwise?: string) => otherwise ?? "");
  if (isSecret) return plain.trim() !== "";
  return /:\/\/[^:/?#@\s]*:[^@\s]+@/.test(plain) ||
    /[?&](password|passwd|pwd|token|secret)=[^&\s]+/i.test(plain);
}
