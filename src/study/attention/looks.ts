/** The encoders that `attention` shows, and what of each: checked before anything is decoded. */
import { UsageError, unknownName } from "../../errors.ts";
import { type Representation, representationsOf, weightsRepresentation } from "../../evaluate/representations.ts";
import { type Kind, kinds, kindsOf } from "../../inspect/attention/pictures.ts";
import { type Encoder, requireImageSize } from "../../models/model.ts";
import { symmetricSide } from "../../models/places.ts";
import { type Kept, keptEncoders } from "../../run/kept.ts";
import { zeros } from "../../torch/ops.ts";
import { scope } from "../../torch/scope.ts";
import type { AttentionConfig } from "./options.ts";

/** An encoder, and what to show of it. */
export interface Look extends Pick<Representation, "id" | "label" | "kind" | "folder" | "baselines" | "imageSize"> {
  /** A new encoder with its weights. The caller disposes it. */
  encoder(): Encoder;
  /** Side of the images that it is shown, in pixels: near `imageSize`, see `symmetricSide`. */
  side: number;
  show: readonly Kind[];
  /** Those that its run kept on the way, before the end. */
  kept: readonly Kept[];
}

/**
 * Trained encoders beside the untrained one that they began as, then weights from elsewhere.
 * @throws UsageError for unknown layers, pictures that no encoder or not this one can give, images that one cannot take, and runs that kept
 *   nothing where checkpoints are wanted
 */
export function looksOf(config: AttentionConfig): Look[] {
  const { layers, show, checkpoints } = config;
  const found = representations(config).map((one) => ({ one, ...abilities(one) }));
  const known = [...new Set(found.flatMap(({ names }) => names))];
  const unknown = layers?.find((layer) => !known.includes(layer));
  if (unknown !== undefined) throw unknownName("layer", unknown, known);
  const impossible = show?.find((kind) => found.every(({ able }) => !able.includes(kind)));
  if (impossible !== undefined) throw cannotShow(found.map(({ one }) => one.label).join(", "), impossible);
  return found.map(({ one, able, names, side }) => {
    const own = able
      .filter((kind) => show?.includes(kind) ?? true)
      .filter((kind) => kind !== "activation" || (layers?.some((layer) => names.includes(layer)) ?? true));
    const [first] = show ?? kinds;
    if (!own.length) throw cannotShow(one.label, first as Kind, layers);
    const kept = checkpoints && one.folder !== undefined ? keptOf(one.folder) : [];
    return { ...one, side, show: own, kept };
  });
}

type WithEncoder = Representation & { encoder(): Encoder };

function representations({ runs, weights = [], imageSize }: AttentionConfig): WithEncoder[] {
  const found: Representation[] = [];
  for (const run of runs) found.push(...representationsOf(run, found));
  const size = imageSize ?? (found[0] as Representation).imageSize;
  for (const text of weights) found.push(weightsRepresentation(text, size, found, "--image-size"));
  return inOrder(found)
    .filter((one): one is WithEncoder => one.encoder !== undefined)
    .map((one) => ({ ...one, imageSize: imageSize ?? one.imageSize }));
}

/** Runs of one beginning stand together, in the order given, and the untrained network that they share after them. */
function inOrder(all: readonly Representation[]): Representation[] {
  const untrained = all.filter(({ kind }) => kind === "untrained");
  const families = untrained.map((one) => [...all.filter(({ baselines }) => baselines.includes(one.id)), one]);
  return [...new Set([...families.flat(), ...all])];
}

/** Names of its layers, what it can show, and at which side. @throws UsageError for images that it cannot take */
function abilities({ encoder, imageSize, label }: WithEncoder): { names: string[]; able: Kind[]; side: number } {
  const own = encoder();
  try {
    requireImageSize(own, imageSize, label);
    return {
      names: Object.keys(own.featureDims),
      able: scope(() => kindsOf(own, zeros([1, 3, imageSize, imageSize]))),
      side: symmetricSide(own, imageSize),
    };
  } finally {
    own.dispose();
  }
}

/** Without the last, which is the run's encoder. @throws UsageError if the run kept none */
function keptOf(folder: string): Kept[] {
  const kept = keptEncoders(folder).filter(({ percent }) => percent < 100);
  if (kept.length) return kept;
  throw new UsageError(
    `${folder} kept no encoders on the way of its training, so there is none to show for --checkpoints. Leave that out, or train anew with ` +
      "pretrain --keep-checkpoints 8.",
  );
}

const why: Readonly<Record<Kind, string>> = {
  activation: "has none of these layers",
  heads: "has no attention heads: only transformers do",
  rollout: "has no attention to follow through its blocks: only transformers do",
  components: "has no feature maps",
};

function cannotShow(label: string, kind: Kind, layers?: readonly string[]): UsageError {
  const named = kind === "activation" && layers ? ` (${layers.join(", ")})` : "";
  return new UsageError(
    `${label} cannot show ${kind}: it ${why[kind]}${named}. Leave ${kind} out of --show, or leave the run out.`,
  );
}
