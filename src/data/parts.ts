/** The many names of a data set's splits: `train2017`, `Test-Set`, `images_val`, `held out`, … */

/** The split that a name stands for. */
export interface PartName {
  /** train, validation, test, unlabelled or extra. */
  part: string;
  /** The name without the word for the split: "cats" in `cats_train`. Often "". */
  rest: string;
}

const words: readonly [pattern: RegExp, part: string][] = [
  [/^(mini)?(train|trn|trai?ning|trainval|trainvalid)$/, "train"],
  [/^(mini)?(val|vali|valid|validate|validation|dev|devel|development|eval|evaluation)$/, "validation"],
  [/^(mini)?(test|tst|testing|holdout|heldout|testdev|devtest)$/, "test"],
  [/^(unlabell?ed|unlabel|unannotated|unsup|unsupervised|nolabels?|unlab)$/, "unlabelled"],
  [/^extra$/, "extra"],
];

/** The splits to test on. */
export const TESTS: readonly string[] = ["validation", "test"];

/** Words in the name of a split that do not say which it is. */
const FILLER =
  /^(sets?|splits?|parts?|partial|images?|imgs?|pics?|pictures?|photos?|data|datasets?|folder|dir|files?|crops?|cropped|resized|the|a|b|full|small|clean|jpe?gs?|pngs?|[a-z]?\d+|\d+x\d+|\d+px|[a-z])$/;

/** A split's word with a filler attached: trainset, testimages, val2017. */
const GROWN = /^(.*?)(sets?|split|data|images?|imgs?|\d+|\d+x\d+)$/;

/** The split that a folder's or file's name mentions, if any. */
export function partName(name: string): PartName | undefined {
  const spread = name
    .normalize("NFKC")
    .replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2")
    .toLowerCase();
  const joined = spread.replace(/\b(hold|held)[\s_-]+out\b/g, "holdout").replace(/\b(un|no)[\s_-]+label/g, "$1label");
  const tokens = joined.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const parts = new Set<string>();
  const rest: string[] = [];
  for (const token of tokens) {
    const part = wordOf(token);
    if (part) parts.add(part);
    else if (!FILLER.test(token)) rest.push(token);
  }
  const part = oneOf(parts);
  return part === undefined ? undefined : { part, rest: rest.join(" ") };
}

function wordOf(token: string): string | undefined {
  const stem = [token, token.replace(GROWN, "$1"), token.replace(GROWN, "$1").replace(GROWN, "$1")];
  for (const word of stem) for (const [pattern, part] of words) if (pattern.test(word)) return part;
  return undefined;
}

/** `train_val` is for training, `test-dev` is for tests; `train_test_split` is neither. */
function oneOf(parts: ReadonlySet<string>): string | undefined {
  if (parts.has("unlabelled") || parts.size < 2) return parts.has("unlabelled") ? "unlabelled" : [...parts][0];
  if (parts.has("extra") && parts.size === 2) return [...parts].find((part) => part !== "extra");
  if (parts.size > 2) return undefined;
  if (parts.has("train")) return parts.has("validation") ? "train" : undefined;
  if (parts.has("test") && parts.has("validation")) return "test";
  return undefined;
}

/** The split, if the name says nothing else. */
export function plainPart(name: string): string | undefined {
  const found = partName(name);
  return found?.rest === "" ? found.part : undefined;
}

/** Names of cross-validation folds: each holds the whole set, or a slice of it. */
export function isFold(name: string): boolean {
  return /^(cv|kfold|fold|split|trial|run)s?[\s_-]*\d+$/i.test(name);
}

/** Names of folders that just hold images, whatever they show. */
export function isContainer(name: string): boolean {
  return /^(jpe?gimages|images?|imgs?|pics?|pictures?|photos?|frames?|data(set)?s?|raw|rgb)$/i.test(name);
}

/** Names of folders of target pictures: one for each image in a folder beside them. */
export function isMask(name: string): boolean {
  return /^(masks?|annotations?|annots?|labels?|segmentations?|segmentation(class|object)(aug|raw)?|seg|gt|ground[\s_-]?truths?|trimaps?|mattes?)$/i.test(
    name,
  );
}

/** The usual splits first, the others by name. */
export function inPartOrder(parts: Iterable<string>): string[] {
  const usual = ["train", "validation", "test", "unlabelled"];
  const place = (part: string) => (usual.includes(part) ? usual.indexOf(part) : usual.length);
  return [...parts].sort((a, b) => place(a) - place(b) || (a < b ? -1 : Number(a > b)));
}

/** Whether a folder of this name holds boxes in Pascal VOC's format, NAME.xml for each image. */
export const isAnnotations = (name: string): boolean => /^annotations?$/i.test(name);
