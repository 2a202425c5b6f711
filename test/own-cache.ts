/** The tests keep what they measure in a cache of their own: later runs of the user do not find it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export default function ownCache(): () => void {
  const cache = mkdtempSync(join(tmpdir(), "selfsight-test-cache-"));
  process.env["SELFSIGHT_CACHE"] = cache; // a libtorch in the user's cache is still found: build/current.json names it by its path
  return () => rmSync(cache, { recursive: true, force: true });
}
