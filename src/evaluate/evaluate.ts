/** `evaluate`: how good are the features of one or several runs, and are they better than without training? */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { firstLabels, refuseSeveral } from "../data/images.ts";
import { UsageError, unknownName } from "../errors.ts";
import { writeJson } from "../files.ts";
import { parseOptions } from "../options.ts";
import type { Hooks } from "../run/events.ts";
import { runFiles } from "../run/folder.ts";
import { compare, correctFamilies, type Measured } from "./compare.ts";
import { byClass, type LabelCount } from "./draws.ts";
import { protocolEntry } from "./index.ts";
import { labelAmounts, smallClasses } from "./label-amounts.ts";
import { type Variant, variantsOf } from "./measure.ts";
import { measureRepresentation } from "./measurements.ts";
import { type EvaluateConfig, type EvaluateOptions, evaluateOptions } from "./options.ts";
import { claimResultFile } from "./place.ts";
import type { Difference, ResultRow } from "./result.ts";
import { openSession, type Session } from "./session.ts";

export interface Evaluation {
  rows: ResultRow[];
  /**
   * Each trained encoder at its best layer against each baseline at its own; layers are chosen on held-out training labels. The
   * p-values allow for all comparisons with the same kind of baseline.
   */
  differences: Difference[];
  classes: readonly string[];
  /** What a reader should know: what was left out, could not be read, or cannot be measured. One sentence each. */
  notes: readonly string[];
  file: string;
}

/**
 * Measures runs with every protocol, layer and number of labels, together with the same networks untrained, weights from elsewhere if
 * there are any, raw pixels and descriptors made by hand.
 * @throws UsageError for images without labels, weights that do not fit their model, test images whose labels a run has learned, unknown protocols, folders
 *   that are not finished runs, a name in use; SelfsightError for encoders whose features are not finite
 */
export async function evaluate(options: EvaluateOptions, hooks: Hooks = {}): Promise<Evaluation> {
  const config = parseOptions(evaluateOptions, options);
  const variants = chooseVariants(config);
  const { draws, seed } = config;
  const wanted = resultFile(config.runs[0] as string, config.name);
  const session = await openSession(config, hooks);
  const { representations, classes, classCounts, seen, notes, train } = session;
  const { counts: labelsPerClass, percents, notes: same } = labelAmounts(config.labelsPerClass, firstLabels(train));
  const sizes = byClass(firstLabels(train)).map(({ length }) => length);
  notes.push(...same, ...smallClasses(labelsPerClass, { percents, sizes }));
  refuseSeveralLabels(session, variants, labelsPerClass);
  const measured: Measured[] = [];
  try {
    for (const representation of representations) {
      const result = await measureRepresentation(
        representation,
        session,
        { variants, labelsPerClass, percents, draws, seed },
        hooks,
      );
      measured.push(...result.measured);
      notes.push(...result.notes);
    }
  } finally {
    await session.close();
  }
  const rows = measured.map(({ row }) => row);
  const differences = correctFamilies(
    compare(measured, representations, { classes: classes.length, classCounts, seen }),
  );
  const file = claimResultFile(wanted);
  writeJson(file, { images: config.images, options: config, classes, notes, rows, differences });
  return { rows, differences, classes, notes, file };
}

/** The protocols' variants with their options. @throws UsageError for unknown protocols, and options of protocols not chosen */
export function chooseVariants({
  protocol,
  protocolOptions,
}: Pick<EvaluateConfig, "protocol" | "protocolOptions">): Variant[] {
  const idle = Object.keys(protocolOptions).find((name) => !protocol.includes(name));
  if (idle !== undefined) throw unknownName("protocol with options", idle, protocol);
  return protocol.flatMap((name) => {
    const entry = protocolEntry(name);
    return variantsOf(name, entry, parseOptions(entry.options, protocolOptions[name] ?? {}, `option of ${name}`));
  });
}

/** @throws UsageError for images with several labels, if a protocol or number of labels is not for them */
export function refuseSeveralLabels(
  { train, test }: Pick<Session, "train" | "test">,
  variants: readonly Variant[],
  counts: readonly LabelCount[],
): void {
  const single = variants.find(({ protocol }) => !protocol.severalLabels);
  const few = counts.find((one) => one !== "all"); // draws of labels count an image for its first class alone
  const who = single ? `The protocol ${single.name}` : few === undefined ? undefined : `--labels-per-class ${few}`;
  if (who !== undefined) for (const set of [train, test]) refuseSeveral(set, who);
}

/** An unused path for the results. @throws UsageError if the requested name is in use */
function resultFile(run: string, name: string | undefined): string {
  const place = (folder: string) => join(runFiles(run).evaluations, folder, "result.json");
  if (name !== undefined) {
    if (!existsSync(place(name))) return place(name);
    throw new UsageError(`${place(name)} exists and is never overwritten. Choose another --name.`);
  }
  let free = place("default");
  for (let i = 2; existsSync(free); i++) free = place(`default-${i}`);
  return free;
}
