/** The options of `attention`. */
import { z } from "zod";
import { POWERS } from "../../inspect/attention/activation.ts";
import { kinds } from "../../inspect/attention/pictures.ts";
import { aboutImages } from "../../run/images.ts";
import { computeOptions } from "../../torch/compute.ts";

export const attentionOptions = z.strictObject({
  runs: z.array(z.string().min(1)).min(1).describe("run folders of pretrain"),
  images: z.string().min(1).describe("folder of images, file of a known format, or a known data set's name"),
  ...aboutImages,
  weights: z
    .array(z.string())
    .optional()
    .describe(
      "weights from elsewhere to show too, MODEL=FILE or LABEL:MODEL=FILE: safetensors of torchvision, timm or a run",
    ),
  split: z
    .string()
    .optional()
    .describe("parts to choose images from, joined by +; default: validation+test, or what there is of it, or all"),
  out: z.string().min(1).default("attention.png").meta({
    description: "the picture, NAME.png; the page NAME.html goes beside it; older ones are replaced",
    value: "file",
  }),
  count: z.int().min(1).max(64).default(12).describe("images to show"),
  show: z
    .array(z.enum(kinds))
    .min(1)
    .optional()
    .describe(
      "activation (of layers), heads (of a transformer's last block), rollout (attention through all blocks), components (as colours); default: all that a network has",
    ),
  measure: z
    .int()
    .min(0)
    .default(500)
    .describe("images to measure the maps of layers on, for the numbers beside the pictures; 0 for none"),
  maskClass: z.int().min(1).max(255).optional().describe("the value of the objects in masks; default: all but 0"),
  layers: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("layers of the activation; default: all of up to six, or four of more"),
  power: z
    .array(z.number().positive().max(16))
    .min(1)
    .default([...POWERS])
    .describe("p of |activation|^p, spread over the layers, early to late"),
  imageSize: z
    .int()
    .min(4)
    .max(1024)
    .optional()
    .describe(
      "side of the networks' input, in pixels, or the nearest at which a map's places lie the same from every edge; default: as each was trained, --weights as the first run, and for heads and rollout up to twice that, where the images are as large",
    ),
  checkpoints: z
    .boolean()
    .default(false)
    .describe("in the page, a slider over the encoders that the runs kept: pretrain --keep-checkpoints"),
  device: computeOptions.device,
  threads: computeOptions.threads,
});

/** A caller's options: everything but the runs and the images has a default. */
export type AttentionOptions = z.input<typeof attentionOptions>;
export type AttentionConfig = z.output<typeof attentionOptions>;
