/** The architectures by name. */
import { UsageError } from "../errors.ts";
import { registry } from "../registry.ts";
import { alexnets } from "./alexnet.ts";
import type { Encoder, ModelEntry, Stem } from "./model.ts";
import { nins } from "./nin.ts";
import { resnets } from "./resnet.ts";
import { resnetsV2 } from "./resnetv2.ts";
import { revnets } from "./revnet.ts";
import { vggs } from "./vgg.ts";
import { vits } from "./vit.ts";

/** By family, smallest member first. */
export const families = {
  resnet: resnets,
  resnetv2: resnetsV2,
  revnet: revnets,
  nin: nins,
  alexnet: alexnets,
  vgg: vggs,
  vit: vits,
};
export const models = { ...resnets, ...resnetsV2, ...revnets, ...nins, ...alexnets, ...vggs, ...vits };
export type ModelName = keyof typeof models;

export interface EncoderSpec {
  model: string;
  width?: number | undefined;
  stem?: Stem | undefined;
}

const known = registry<ModelEntry>("model", models);

/** The architecture of that name. @throws UsageError that suggests the nearest known name */
export const modelEntry = known.get;

/** Names of all architectures, including registered ones. */
export const modelNames = known.names;

/**
 * Registers your own architecture under a name that `pretrain` accepts like the others. A program that evaluates or
 * resumes such a run must register it first. @throws UsageError for a name that is taken
 */
export const registerModel = known.add;

/**
 * An encoder with initial values from libtorch's generator ({@link manualSeed} first for a repeatable one).
 * @throws UsageError for an unknown model, a stem that it does not have, or a width outside (0, 64]
 */
export function createEncoder({ model, width = 1, stem }: EncoderSpec): Encoder {
  const entry = modelEntry(model);
  const chosen = stem ?? (entry.stems[0] as Stem);
  if (!entry.stems.includes(chosen)) {
    throw new UsageError(`${model} has no stem "${chosen}". It has: ${entry.stems.join(", ")}.`);
  }
  if (!(width > 0 && width <= 64)) throw new UsageError(`Expected a width above 0 and at most 64, got ${width}.`);
  return entry.create({ width, stem: chosen });
}
