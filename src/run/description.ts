/** What is said of an encoder to those who load its file: in the file itself, and in a `config.json` as timm has them. */
import { MEAN, STD } from "../augment/normalise.ts";
import type { PretrainConfig } from "./options.ts";

type Described = Pick<PretrainConfig, "imageSize" | "model" | "width" | "stem" | "task" | "init">;

/** Text for the file's header: a file that was moved still tells its network, where shapes alone would not. */
export function encoderMetadata({ model, width, stem, imageSize }: Described): Record<string, string> {
  return {
    ...{ model, image_size: String(imageSize), mean: MEAN.join(" "), std: STD.join(" ") },
    ...(width !== undefined && { width: String(width) }),
    ...(stem !== undefined && { stem }),
  };
}

/** @param outDim number of features */
export function encoderConfig(config: Described, outDim: number): object {
  const { imageSize, model, width, stem, init, task } = config;
  return {
    architecture: timmName(config) ?? model,
    num_classes: 0,
    num_features: outDim,
    pretrained_cfg: {
      input_size: [3, imageSize, imageSize],
      mean: MEAN,
      std: STD,
      interpolation: "bilinear",
      crop_pct: 1,
    },
    selfsight: { model, width, ...(stem && { stem }), task, ...(init !== undefined && { init }) },
  };
}

const timmNames: ReadonlyMap<string, string> = new Map([
  ["resnet18", "resnet18"],
  ["resnet34", "resnet34"],
  ["resnet50", "resnet50"],
  ["resnet101", "resnet101"],
  ["resnet50v2", "resnetv2_50"],
  ["resnet101v2", "resnetv2_101"],
  ["vit-tiny-16", "vit_tiny_patch16_224"],
  ["vit-small-8", "vit_small_patch8_224"],
  ["vit-small-16", "vit_small_patch16_224"],
  ["vit-base-8", "vit_base_patch8_224"],
  ["vit-base-16", "vit_base_patch16_224"],
]);

/** timm's name of the same network, with the same names of parameters; undefined where it has none, as for other widths and stems. */
export function timmName({ model, width, stem = "imagenet" }: Pick<Described, "model" | "width" | "stem">) {
  if (width !== 1 || stem !== "imagenet") return undefined;
  return timmNames.get(model);
}
