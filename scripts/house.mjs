/**
 * Checks the house rules: imports point one way and never in circles, files stay short, no file names a particular machine
 * or package registry, no unfinished notes are left. Prints one line per violation; exit code 1.
 *
 *   node scripts/house.mjs [folder of a git working tree]
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, posix, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** A file of src/ imports from its own row and the rows above. `index.ts` is the table of contents: no file imports it. */
const layers = [
  [
    "setup",
    "errors.ts",
    "interrupt.ts",
    "options.ts",
    "random.ts",
    "files.ts",
    "cleanup.ts",
    "metric.ts",
    "registry.ts",
  ],
  ["torch"],
  ["data"],
  ["augment"],
  ["models"],
  ["heads"],
  ["tasks"],
  ["run"],
  ["train"],
  ["inspect"],
  ["evaluate"],
  ["study"],
  ["report"],
  ["cli"],
  ["index.ts"],
];

/** The first pattern that matches counts. */
const longest = [
  { lines: 150, files: /^src\/tasks\/(?!task\.ts)/ }, // task.ts is the contract, not a task
  { lines: 250, files: /^src\/models\// },
  { lines: 400, files: /^test\// },
  { lines: 300, files: /^/ },
];
const code = /\.(?:[cm]?[jt]s|cc|h|py|sh)$/;

/** Written so that this file does not match itself. */
const forbidden = [
  {
    pattern: /(?:^|[^\w.])(?:\/(?:root|home|Users|work|workspace|mnt|tmp)\/|[A-Z]:\\+Users\\)/,
    what: "a path of one machine",
  },
  {
    pattern: /\bregistry\.[a-z][\w-]*\.[a-z]+|\bpypi\.[a-z]+\b|\bpythonhosted\.[a-z]+/i,
    what: "a package registry's host",
  },
  { pattern: /^\s*(?:@[\w-]+:)?registry\s*=/, what: "a package registry", files: /(?:^|\/)\.npmrc$/ },
  { pattern: /\b(?:TO[D]O|FIX[M]E)\b/, what: "an unfinished note" },
];

const root = resolve(process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url))));
const texts = readTexts();
const imports = new Map([...texts.keys()].filter(isSource).map((file) => [file, importsOf(file)]));
const violations = [...directions(), ...circles(), ...lengths(), ...contents(), ...lockfile()];
for (const violation of violations) console.log(violation);
process.exitCode = violations.length ? 1 : 0;

/** Contents of the text files that git tracks or would track, by path. */
function readTexts() {
  const trusting = ["-c", "safe.directory=*"]; // the folder may belong to another user, as in a container
  const listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const listed = execFileSync("git", [...trusting, ...listing], { cwd: root });
  const files = listed
    .toString()
    .split("\0")
    .filter((file) => file && existsSync(resolve(root, file)));
  const buffers = files.map((file) => [file, readFileSync(resolve(root, file))]);
  return new Map(buffers.filter(([, bytes]) => !bytes.includes(0)).map(([file, bytes]) => [file, bytes.toString()]));
}

function isSource(file) {
  return /^src\/.*\.ts$/.test(file);
}

/** Paths of the files that a file imports, type imports included. `selfsight` is index.ts by another name. */
function importsOf(file) {
  const statement =
    /^(?:import|export|\}) (?:[^"';=()]* from )?"(\.[^"]+|selfsight)"|\bimport\(\s*["'`](\.[^"'`]+|selfsight)["'`]/gm;
  const found = [...texts.get(file).matchAll(statement)].map(([, fixed, dynamic]) => fixed ?? dynamic);
  return found.map((name) => (name === "selfsight" ? "src/index.ts" : posix.join(posix.dirname(file), name)));
}

function layerOf(file) {
  const name = file.split("/")[1];
  return layers.findIndex((row) => row.includes(name));
}

function directions() {
  return [...imports].flatMap(([file, targets]) => {
    if (layerOf(file) < 0) return [`${file}: belongs to no layer; scripts/house.mjs lists them`];
    const wrong = targets.filter((target) => layerOf(target) > layerOf(file));
    return wrong.map((target) => `${file}: imports ${target}, which stands below it`);
  });
}

/** Each circle once, starting where it was entered. */
function circles() {
  const found = [];
  const done = new Set();
  const visit = (file, path) => {
    if (path.includes(file)) return found.push([...path.slice(path.indexOf(file)), file]);
    if (done.has(file)) return;
    for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return found.map((path) => `${path[0]}: imports in a circle: ${path.join(" > ")}`);
}

function lengths() {
  return [...texts].flatMap(([file, text]) => {
    if (!code.test(file)) return [];
    const { lines: most } = longest.find(({ files }) => files.test(file));
    const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    return lines > most ? [`${file}: ${lines} lines, at most ${most}: split it, or delete`] : [];
  });
}

function contents() {
  return [...texts].flatMap(([file, text]) =>
    text.split("\n").flatMap((line, i) => {
      const broken = forbidden.filter(({ pattern, files }) => pattern.test(line) && (files?.test(file) ?? true));
      return broken.map(({ pattern, what }) => `${file}:${i + 1}: ${what}: ${pattern.exec(line)[0].trim()}`);
    }),
  );
}

/** The lock file must work with whichever registry a machine uses. */
function lockfile() {
  const lines = (texts.get("package-lock.json") ?? "").split("\n");
  return lines.flatMap((line, i) =>
    line.includes('"resolved": "http') ? [`package-lock.json:${i + 1}: names where a package was fetched from`] : [],
  );
}
