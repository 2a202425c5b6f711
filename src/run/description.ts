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

/** timm's name of the same network, with the same names of parameters; undefined where it has none, as for other widths and stems. */
export function timmName({ model, width, stem = "imagenet" }: Pick<Described, "model" | "width" | "stem">) {
  if (width !== 1 || stem !== "imagenet") return undefined;
  const [, resnet] = /^(resnet(?:18|34|50|101))$/.exec(model) ?? [];
  const [, preActivation] = /^resnet(50|101)v2$/.exec(model) ?? [];
  const [, vit, patch] = /^vit-(?=tiny-16|small|base)(\w+)-(8|16)$/.exec(model) ?? [];
  return resnet ?? (preActivation && `resnetv2_${preActivation}`) ?? (vit && `vit_${vit}_patch${patch}_224`);
}
