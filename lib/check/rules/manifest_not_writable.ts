/** Rule: SQLite files on a file system that only reads. @module */
import { embeddedFiles } from "../embedded_files.ts";
import type { RuleOf } from "../rule.ts";

/** Where the server's image keeps them. */
const IMAGE_FOLDER = "/data";

export const manifestNotWritable: RuleOf<"manifest"> = {
  code: "MANIFEST_NOT_WRITABLE",
  level: "warning",
  category: "deployment",
  stage: "manifest",
  fires:
    "`readOnlyRootFilesystem` is true, the configuration names SQLite files, and no volume is mounted where they are kept.",
  rationale: "The server cannot create its files, and does not start.",
  remedy: "Mount a volume, and name its folder by PROTEAN_DATA_DIR; or use PostgreSQL and Redis.",
  mend: "volumeMounts: [{ name: data, mountPath: /data }]",
  *find({ label, file, readOnlyRoot, writable, dataDir = IMAGE_FOLDER }, { loaded }) {
    if (readOnlyRoot.value !== true) return;
    const sections = embeddedFiles(loaded.config);
    const isMounted = writable.some((path) => `${dataDir}/`.startsWith(`${path.replace(/\/+$/, "")}/`));
    if (sections.length === 0 || isMounted) return;
    yield {
      element: label,
      file,
      ...(readOnlyRoot.line !== undefined && { line: readOnlyRoot.line }),
      message: `${label} has a read-only root, ${sections.map((one) => `'${one}'`).join(", ")} ` +
        `${
          sections.length === 1 ? "is an SQLite file" : "are SQLite files"
        }, and no volume is mounted at ${dataDir}.`,
    };
  },
};
