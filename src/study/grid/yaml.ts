/** A study's file. Errors name the line and column. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { onDisk, UsageError, unknownName } from "../../errors.ts";
import { nameForFolder } from "../../run/folder.ts";
import { cellsOf } from "./combine.ts";
import type { StudyConfig, StudyOptions } from "./options.ts";
import { type Locate, parseStudy } from "./parse.ts";

/** Studies that come with Selfsight. */
const recipes = fileURLToPath(new URL("../../../recipes", import.meta.url));

/**
 * Reads and checks a study's file, or one of the recipes that come with Selfsight.
 * @param changes options in place of those in the file
 * @throws UsageError for a file that is missing or no YAML, and as {@link parseStudy} and {@link cellsOf}
 */
export function readStudy(file: string, changes: Partial<StudyOptions> = {}): StudyConfig {
  const text = onDisk(`${file} cannot be read`, () => readFileSync(findStudy(file), "utf8"));
  const name = basename(file);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${name}, line ${line}, column ${col}: `;
  };
  const [error] = document.errors;
  if (error) throw new UsageError(`${place(error.pos[0])}no YAML. ${error.message}`);
  if (!isMap(document.contents)) throw new UsageError(`${name}: expected keys with values, such as tasks: [rotation].`);
  const locate: Locate = (path, what = "value") => {
    if (String(path[0]) in changes) return ""; // it is not from the file
    const parent = document.getIn(path.slice(0, -1), true);
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === path.at(-1))
      : undefined;
    const node = what === "key" && pair ? (pair.key as Node) : (document.getIn(path, true) as Node | undefined);
    return node?.range ? place(node.range[0]) : `${name}: `;
  };
  const config = parseStudy({ ...plain(document, name), ...changes }, locate);
  const study = {
    ...config,
    out: config.out ?? join("runs", `study-${studyName(file)}-${nameForFolder(config.images)}`),
  };
  cellsOf(study, locate); // reports what does not fit together by its place
  return study;
}

function plain(document: ReturnType<typeof parseDocument>, name: string): object {
  try {
    return document.toJS() as object;
  } catch (cause) {
    throw new UsageError(`${name}: no YAML. ${(cause as Error).message}`, { cause }); // aliases without an anchor, or far too many
  }
}

/** "widths" of "studies/widths.yaml". */
export const studyName = (file: string): string => basename(file, extname(file));

/** @throws UsageError if there is neither such a file nor such a recipe */
function findStudy(file: string): string {
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  const known = existsSync(recipes) ? readdirSync(recipes).map((one) => basename(one, ".yaml")) : [];
  const found = known.find((one) => one === file || `${one}.yaml` === file);
  if (found !== undefined) return join(recipes, `${found}.yaml`);
  if (file === basename(file)) throw unknownName("study", file, known);
  throw new UsageError(`There is no file ${file}.`);
}
