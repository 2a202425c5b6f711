/** Installs Debian packages, on Debian or Ubuntu and as root. */
import { fetchLog } from "./places.ts";
import { lastLines, run, which } from "./process.ts";

/** Why apt-get cannot be used here, or undefined when it can. */
export function whyNoApt(): string | undefined {
  if (process.platform !== "linux" || !which("apt-get")) return "this system has no apt-get";
  if (process.getuid?.() !== 0) return "apt-get needs root";
  return undefined;
}

/** Installs packages. Returns undefined, or a phrase that says why it failed. */
export async function aptInstall(packages: string[]): Promise<string | undefined> {
  const reason = whyNoApt();
  if (reason) return reason;
  const options = {
    log: fetchLog(),
    env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
  };
  const quick = ["-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10", "-o", "Acquire::Retries=1"];
  await run("apt-get", [...quick, "update"], options); // may fail in part (one dead source) and still be enough
  const patient = ["-o", "DPkg::Lock::Timeout=120"]; // seconds: on a fresh machine, upgrades run by themselves for a while
  const args = [...quick, ...patient, "install", "-y", "--no-install-recommends", ...packages];
  const { code, output } = await run("apt-get", args, options);
  return code === 0 ? undefined : `apt-get install ${packages.join(" ")} failed: ${lastLines(output, 1)}`;
}
