/**
 * Turns a bare clone into a working one: dependencies, dist/, libtorch and the addon. Each step first checks whether it
 * is done, so running this again takes well under a second. Plain Node: nothing is installed yet when it starts.
 * With --build, it only compiles.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

const readJson = (file) => JSON.parse(readFileSync(file, "utf8"));

/** Whether `version` ("20.19.0") is in `range` ("^20.19 || >=22.12"). */
export function isNodeRecent(version, range) {
  const [major, minor] = version.split(".").map(Number);
  return range.split("||").some((part) => {
    const [needMajor, needMinor = 0] = part
      .replace(/[^\d.]/g, "")
      .split(".")
      .map(Number);
    return (major > needMajor && !part.includes("^")) || (major === needMajor && minor >= needMinor);
  });
}

/** Whether package-lock.json was made from this package.json. */
export function isLockCurrent(root) {
  const file = join(root, "package-lock.json");
  if (!existsSync(file)) return false;
  const [lock, own] = [readJson(file).packages[""], readJson(join(root, "package.json"))];
  const wanted = ({ dependencies = {}, devDependencies = {} }) =>
    JSON.stringify([dependencies, devDependencies].map((all) => Object.entries(all).sort()));
  return wanted(lock) === wanted(own);
}

/** Whether node_modules holds what package-lock.json lists: npm's own record agrees and every folder exists. */
export function isInstalled(root) {
  const record = join(root, "node_modules", ".package-lock.json"); // npm writes it last
  if (!existsSync(record) || !isLockCurrent(root)) return false;
  const installed = readJson(record).packages;
  return Object.entries(readJson(join(root, "package-lock.json")).packages).every(([path, entry]) => {
    if (path === "") return true;
    const there = installed[path];
    if (!there) return Boolean(entry.optional || entry.peer) && !isOwnBinary(entry);
    return there.version === entry.version && existsSync(join(root, path, "package.json"));
  });
}

let ownLibc;

/** Whether an entry of the lock file is a binary for this machine. */
function isOwnBinary({ os, cpu, libc }) {
  if (!os?.includes(process.platform) || !cpu?.includes(process.arch)) return false;
  ownLibc ??= process.report.getReport().header.glibcVersionRuntime ? "glibc" : "musl"; // takes 20 ms
  return !libc || libc.includes(ownLibc);
}

/** Digest of everything that dist/ is built from. */
export function sourceDigest(root) {
  const hash = createHash("sha256");
  const files = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  const settings = ["tsconfig.json", "tsconfig.build.json", "package-lock.json"].map((name) => join(root, name));
  for (const file of [...files, ...settings].sort()) hash.update(file).update(readFileSync(file));
  return hash.digest("hex");
}

const stamp = (root) => join(root, "dist", ".built-from");

/** Whether dist/ was built from the current src/. */
export function isBuilt(root) {
  return existsSync(stamp(root)) && readFileSync(stamp(root), "utf8") === sourceDigest(root);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Runs npm. Returns undefined on success, else the first lines of its errors. */
function runNpm(root, args) {
  console.error(`npm ${args.join(" ")} ...`);
  const ownNpm = process.env.npm_execpath; // set when npm started this script
  const [program, first] = ownNpm?.endsWith("npm-cli.js") ? [process.execPath, [ownNpm]] : ["npm", []];
  const { status, error, stderr } = spawnSync(program, [...first, ...args], { cwd: root, encoding: "utf8" });
  if (error) fail(`npm cannot be started (${error.message}). It comes with Node: https://nodejs.org`);
  return status === 0 ? undefined : stderr.split("\n").slice(0, 20).join("\n");
}

function install(root) {
  const options = ["--ignore-scripts", "--include=dev"];
  // `npm ci` rejects a lock file that lacks another system's binary; `npm install` accepts it.
  const attempts = isLockCurrent(root) ? [["ci"], ["install", "--no-save"]] : [["install"]];
  const failures = [];
  for (const attempt of attempts) {
    const failure = runNpm(root, [...attempt, ...options]);
    if (failure === undefined) return;
    failures.push(failure);
  }
  fail(`${failures.join("\n")}\nnpm could not install the dependencies. Run it again once that is fixed.`);
}

function compile(root) {
  console.error("Compiling TypeScript ...");
  const digest = sourceDigest(root);
  rmSync(stamp(root), { force: true }); // until the compiler has finished, dist/ may hold anything
  const args = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (status !== 0) fail("TypeScript found errors: see above. Run it again once they are fixed.");
  removeStale(root);
  writeFileSync(stamp(root), digest);
}

/** Removes from dist/ what was compiled from files that are gone. Emptying it first would take them from running programs. */
function removeStale(root) {
  const compiled = /(?:\.d\.ts|\.js(?:\.map)?)$/;
  for (const file of readdirSync(join(root, "dist"), { recursive: true })) {
    if (compiled.test(file) && !existsSync(join(root, "src", file.replace(compiled, ".ts"))))
      rmSync(join(root, "dist", file));
  }
}

/**
 * Waits until no other process installs or compiles here, and returns a function that lets the next one in. The lock is a name
 * that the system frees when the process ends, however it ends. Only Linux has such names; elsewhere there is no lock.
 */
async function takeTurn(root) {
  const name = `\0selfsight-${createHash("sha256").update(root).digest("hex")}`;
  const taken = () =>
    new Promise((resolve) => {
      const server = createServer().on("error", ({ code }) => resolve(code === "EADDRINUSE" ? undefined : server));
      server.listen(name, () => resolve(server));
    });
  if (process.platform !== "linux") return () => {};
  for (let first = true; ; first = false) {
    const server = await taken();
    if (server) return () => server.close();
    if (first) console.error("Another process is installing or compiling; waiting for it ...");
    await sleep(300);
  }
}

async function main(root) {
  const { engines } = readJson(join(root, "package.json"));
  if (!isNodeRecent(process.versions.node, engines.node)) {
    fail(`Node ${engines.node} is needed, this is ${process.versions.node}. Get a newer one from https://nodejs.org`);
  }
  const onlyBuild = process.argv.includes("--build");
  if (onlyBuild || !isInstalled(root) || !isBuilt(root)) {
    const release = await takeTurn(root);
    if (!onlyBuild && !isInstalled(root)) install(root);
    if (onlyBuild || !isBuilt(root)) compile(root);
    release();
  }
  if (!onlyBuild) await import(pathToFileURL(join(root, "dist", "setup", "main.js")).href);
}

// realpath: import.meta.url contains no symbolic links, but the path that node was called with may.
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  await main(fileURLToPath(new URL("..", import.meta.url)));
