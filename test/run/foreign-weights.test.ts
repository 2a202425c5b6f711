/** Files of weights from elsewhere: what is read, and what is refused with the reason. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { SelfsightError, UsageError } from "../../src/errors.ts";
import { createEncoder, type EncoderSpec } from "../../src/models/index.ts";
import type { Encoder } from "../../src/models/model.ts";
import { saveState } from "../../src/run/checkpoint.ts";
import { encoderConfig, encoderMetadata, timmName } from "../../src/run/description.ts";
import { loadWeights, runOf, specOf } from "../../src/run/foreign-weights.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { full, randn, resizeBicubic, zeros } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { memory, scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";

const folder = scratch();
const small = { model: "resnet18", width: 0.125, stem: "cifar" } as const;
const fileOf = (name: string) => join(folder, `${name}.safetensors`);

expectNoLeak();

/** Writes a network's weights, changed, as a file of that name. */
function written(name: string, change: (state: Map<string, Tensor>) => unknown = () => {}, spec: EncoderSpec = small) {
  manualSeed(1);
  const encoder = createEncoder(spec);
  scope(() =>
    noGrad(() => {
      const state = new Map<string, Tensor>(encoder.state());
      change(state);
      saveState(fileOf(name), state);
    }),
  );
  encoder.dispose();
  return fileOf(name);
}

/** Names of the tensors that differ between an encoder and the one that {@link written} begins with. */
function changed(encoder: Encoder, spec: EncoderSpec = small): string[] {
  manualSeed(1);
  const other = createEncoder(spec);
  const values = other.state();
  const found = [...encoder.state()].filter(
    ([name, tensor]) => String(tensor.toArray()) !== String(values.get(name)?.toArray()),
  );
  other.dispose();
  return found.map(([name]) => name);
}

/** An encoder of other random weights, after the file's were loaded. */
function loaded(file: string, spec: EncoderSpec = small): Encoder {
  manualSeed(2);
  const encoder = createEncoder(spec);
  try {
    loadWeights(file, encoder, spec.model);
    return encoder;
  } catch (error) {
    encoder.dispose();
    throw error;
  }
}

const renamed = (state: Map<string, Tensor>, name: (before: string) => string) => {
  const before = [...state];
  state.clear();
  for (const [key, tensor] of before) state.set(name(key), tensor);
};

describe("are read", () => {
  test.each<[string, (state: Map<string, Tensor>) => unknown]>([
    ["with these names", () => {}],
    ["behind a prefix", (state) => renamed(state, (name) => `module.${name}`)],
    ["behind several prefixes", (state) => renamed(state, (name) => `model.module.encoder.backbone.${name}`)],
    [
      "with the layers before timm's classifier of a VGG",
      (state) => state.set("pre_logits.fc1.weight", zeros([8, 64, 7, 7])),
    ],
    ["with a classifier", (state) => state.set("fc.weight", zeros([10, 64])).set("fc.bias", zeros([10]))],
    [
      "with a head behind a prefix",
      (state) => renamed(state.set("head.fc.weight", zeros([10, 64])), (n) => `model.${n}`),
    ],
    [
      "without counters of batches",
      (state) => [...state.keys()].filter((name) => /num_batches/.test(name)).map((name) => state.delete(name)),
    ],
    ["as f64", (state) => state.set("conv1.weight", (state.get("conv1.weight") as Tensor).to("f64"))],
  ])("%s", (name, change) => {
    const encoder = loaded(written(name, change));
    expect(changed(encoder)).toEqual([]);
    encoder.dispose();
  });

  test("in half precision, rounded", () => {
    const encoder = loaded(
      written("half", (state) => state.set("conv1.weight", (state.get("conv1.weight") as Tensor).to("f16"))),
    );
    expect(changed(encoder)).toEqual(["conv1.weight"]);
    const weight = encoder.state().get("conv1.weight") as Tensor;
    scope(() => expect(weight.to("f16").to("f32").sub(weight).abs().amax([]).item()).toBe(0));
    encoder.dispose();
  });

  test("with position embeddings of another grid, resized", () => {
    const vit = { model: "vit-tiny-16", width: 1 / 6, stem: "imagenet" } as const;
    const larger = (state: Map<string, Tensor>) => {
      manualSeed(5);
      state.set("pos_embed", randn([1, 1 + 24 * 24, 32]));
    };
    const encoder = loaded(written("vit", larger, vit), vit);
    expect(changed(encoder, vit)).toEqual(["pos_embed"]);
    scope(() => {
      manualSeed(5);
      const [own, theirs] = [encoder.state().get("pos_embed") as Tensor, randn([1, 1 + 24 * 24, 32])];
      const grid = theirs.narrow(1, 1, 576).transpose(1, 2).reshape(1, 32, 24, 24);
      const wanted = resizeBicubic(grid.contiguous(), 14, 14).flatten(2).transpose(1, 2);
      expect(
        own
          .narrow(1, 0, 1)
          .sub(theirs.narrow(1, 0, 1))
          .abs()
          .amax([])
          .item(),
      ).toBe(0);
      expect(own.narrow(1, 1, 196).sub(wanted).abs().amax([]).item()).toBeLessThan(1e-6);
    });
    encoder.dispose();
    const odd = written("vit-odd", (state) => state.set("pos_embed", zeros([1, 1 + 200, 32])), vit);
    expect(() => loaded(odd, vit)).toThrow(/pos_embed is \[1,201,32\], not \[1,197,32\]/);
  });
});

describe("are refused", () => {
  const first = (state: Map<string, Tensor>, shape: number[]) => state.set("conv1.weight", zeros(shape));
  test.each<[string, (state: Map<string, Tensor>) => unknown, RegExp]>([
    [
      "without a tensor",
      (state) => state.delete("layer3.0.bn1.bias"),
      /it lacks 1 of 120 tensors \(layer3\.0\.bn1\.bias\)\./,
    ],
    [
      "without many",
      (state) => [...state.keys()].filter((name) => name.startsWith("layer4")).map((name) => state.delete(name)),
      /it lacks 25 of 120 tensors \(layer4\.0\.conv1\.weight, layer4\.0\.bn1\.weight, layer4\.0\.bn1\.bias, and 22 more\)/,
    ],
    [
      "with an unknown one",
      (state) => state.set("module.tail.a", zeros([1])),
      /1 of its tensors are unknown there \(module\.tail\.a\)/,
    ],
    [
      "of another shape",
      (state) => first(state, [8, 3, 5, 5]),
      /1 have another shape or type \(conv1.weight is \[8,3,5,5\], not \[8,3,3,3\]\)/,
    ],
    ["for grey images", (state) => first(state, [8, 1, 3, 3]), /conv1.weight is \[8,1,3,3\], not \[8,3,3,3\]/],
    ["of whole numbers", (state) => state.set("bn1.weight", zeros([8], { dtype: "i8" })), /bn1.weight is I8/],
    [
      "twice",
      (state) => state.set("module.conv1.weight", zeros([8, 3, 3, 3])),
      /conv1.weight twice, as .*Save one network/,
    ],
  ])("%s", (name, change, message) => {
    const file = written(`wrong ${name}`, change);
    const before = memory().tensors;
    expect(() => loaded(file)).toThrow(message);
    expect(() => loaded(file)).toThrow(UsageError);
    expect(memory().tensors).toBe(before);
  });

  test("twice, also when the width and stem are looked up", () => {
    const file = written("twice again", (state) => state.set("module.conv1.weight", zeros([8, 3, 3, 3])));
    const before = memory().tensors;
    expect(() => specOf(file, { model: "resnet18" })).toThrow(/conv1.weight twice/);
    expect(memory().tensors).toBe(before);
  });

  test("of another architecture", () => {
    const message =
      /does not fit resnet50: it lacks 165 of 318 tensors .*have another shape.*Name the model, width and stem/;
    expect(() => loaded(written("other"), { ...small, model: "resnet50" })).toThrow(message);
    expect(() => loaded(fileOf("other"), { model: "vit-tiny-16", width: 0.1 })).toThrow(/150 of 150.*120 .* unknown/);
  });

  test("that are not finite", () => {
    const file = written("nan", (state) => state.set("bn1.bias", full([8], Number.NaN)));
    expect(() => loaded(file)).toThrow(/weight bn1\.bias holds NaN or infinity/);
  });

  test("from files that are no safetensors, cut short, PyTorch's own or not there", () => {
    const [text, cut, zip] = ["text", "cut", "zip"].map(fileOf) as [string, string, string];
    writeFileSync(text, "a page that says the file was moved");
    writeFileSync(cut, readFileSync(written("whole")).subarray(0, -100));
    writeFileSync(zip, "PK\x03\x04 and so on");
    for (const [file, message, kind] of [
      [text, /not a sound safetensors file: it claims a header/, SelfsightError],
      [cut, /not a sound safetensors file: .*it was cut short/, SelfsightError],
      [zip, /PyTorch's own format.*Convert it in Python: safetensors\.torch\.save_file/, UsageError],
      [fileOf("none"), /There is no file/, UsageError],
      [folder, /not a sound safetensors file/, SelfsightError],
    ] as const) {
      expect(() => loaded(file)).toThrow(message);
      expect(() => specOf(file, { model: "resnet18" })).toThrow(kind);
    }
  });
});

describe("width and stem", () => {
  beforeAll(() => void written("sized"));

  test.each<EncoderSpec>([
    { model: "resnet10", width: 1, stem: "imagenet" },
    { model: "resnet18", width: 0.3, stem: "cifar" },
    { model: "alexnet", width: 0.25, stem: "cifar" },
    { model: "nin3", width: 0.5, stem: "cifar" },
    { model: "vgg11", width: 0.125, stem: "imagenet" },
    { model: "vit-tiny-16", width: 1 / 6, stem: "imagenet" },
    { model: "resnet10v2", width: 0.75, stem: "cifar" },
    { model: "revnet26", width: 0.25, stem: "imagenet" },
  ])("of %j are seen from the shapes", (spec) => {
    const file = written(`spec-${spec.model}`, (state) => renamed(state, (name) => `backbone.${name}`), spec);
    const found = specOf(file, { model: spec.model });
    expect(found.stem).toBe(spec.stem);
    if (spec.width !== 1 / 6) expect(found.width).toBe(spec.width); // 0.167 gives the same shapes
    loaded(file, found).dispose();
  });

  test("are taken as given, or from the config.json that a run writes beside its encoder", () => {
    expect(specOf(fileOf("sized"), { model: "resnet18", width: 0.5, stem: "patch" })).toMatchObject({
      width: 0.5,
      stem: "patch",
    });
    expect(specOf(fileOf("sized"), { model: "resnet18", stem: "patch" })).toMatchObject({
      width: 0.125,
      stem: "patch",
    });
    const run = join(folder, "run");
    mkdirSync(run);
    const config = { architecture: "resnet10", selfsight: { width: 0.125, stem: "patch" } };
    writeFileSync(join(run, "config.json"), JSON.stringify(config));
    const file = join(run, "encoder.safetensors");
    writeFileSync(file, readFileSync(written("patch", () => {}, { ...small, model: "resnet10", stem: "imagenet" })));
    expect(specOf(file, { model: "resnet10" })).toEqual({ model: "resnet10", width: 0.125, stem: "patch" });
    expect(specOf(file, { model: "resnet18" }).stem).toBe("imagenet"); // described as another model
  });

  test("are read from the header of a file that was moved away from its run", () => {
    const config = {
      model: "resnet18",
      width: 0.125,
      stem: "patch",
      imageSize: 64,
      task: "jigsaw",
      init: undefined,
    } as const;
    const encoder = createEncoder(config);
    saveState(fileOf("moved"), encoder.state(), encoderMetadata(config));
    encoder.dispose();
    const spec = { model: "resnet18", width: 0.125, stem: "patch" };
    expect(specOf(fileOf("moved"), { model: "resnet18" })).toEqual(spec); // by its shapes it would be an imagenet stem
    expect(specOf(fileOf("moved"), { model: "resnet18", stem: "imagenet" }).stem).toBe("imagenet");
  });

  test("of an encoder kept on the way are those of its run, also while there is no config.json", () => {
    const run = join(folder, "going");
    mkdirSync(join(run, "checkpoints"), { recursive: true });
    writeFileSync(
      join(run, "config.yaml"),
      "task: jigsaw\npreset: quick\nmodel: resnet10\nwidth: 0.125\nstem: patch\n",
    );
    const file = join(run, "checkpoints", "encoder-50.safetensors");
    writeFileSync(file, readFileSync(written("kept", () => {}, { ...small, model: "resnet10", stem: "imagenet" })));
    expect(specOf(file, { model: "resnet10" })).toEqual({ model: "resnet10", width: 0.125, stem: "patch" });
    writeFileSync(join(run, "config.yaml"), "model: resnet10\nwidth: 224\n"); // another program's
    expect(specOf(file, { model: "resnet10" })).toMatchObject({ width: 0.125, stem: "imagenet" });
  });

  test("a run may be called checkpoints itself", () => {
    const run = join(folder, "named", "checkpoints");
    mkdirSync(run, { recursive: true });
    expect(runOf(join(run, "encoder.safetensors"))).toBe(join(folder, "named"));
    writeFileSync(join(run, "config.yaml"), "");
    expect(runOf(join(run, "encoder.safetensors"))).toBe(run);
  });
});

test("a run's config.json has timm's name where timm has the network, and always our own", () => {
  const named = (model: string, width = 1, stem: "imagenet" | "patch" = "imagenet") => timmName({ model, width, stem });
  expect(["resnet18", "resnet101", "resnet50v2", "vit-tiny-16", "vit-base-8"].map((model) => named(model))).toEqual([
    ...["resnet18", "resnet101", "resnetv2_50", "vit_tiny_patch16_224", "vit_base_patch8_224"],
  ]);
  expect([named("resnet18", 0.5), named("resnet18", 1, "patch")]).toEqual([undefined, undefined]);
  expect(
    ["resnet10", "vgg11", "nin4", "revnet50", "alexnet", "vit-tiny-8", "vit-small-4"].map((model) => named(model)),
  ).toEqual(new Array(7).fill(undefined));
  const config = {
    model: "resnet50v2",
    width: 1,
    stem: "imagenet",
    imageSize: 64,
    task: "rotation",
    init: undefined,
  } as const;
  expect(encoderConfig(config, 512)).toMatchObject({
    architecture: "resnetv2_50",
    selfsight: { model: "resnet50v2", width: 1 },
  });
});
