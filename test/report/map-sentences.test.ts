import { describe, expect, it } from "vitest";
import type { MapDifference, MapNumber } from "../../src/evaluate/map-numbers.ts";
import { mapOutcome, mapVerdict, massSentence, shownNumber } from "../../src/report/map-sentences.ts";

const number = (encoder: string, value: number, layer = "layer4"): MapNumber => ({
  ...{ encoder, layer, measure: "mass", n: 1500 },
  ...{ value, low: value - 0.03, high: value + 0.03 },
});
const difference = (given: Partial<MapDifference>): MapDifference => ({
  ...{ encoder: "rotation", baseline: "supervised", layer: "layer4", baselineLayer: "layer4", measure: "mass", n: 500 },
  ...{ value: 0.09, low: 0.06, high: 0.12, p: 0.001, comparisons: 3 },
  ...given,
});

describe("what is said of maps", () => {
  it("is how much mass lies on the objects, with intervals", () => {
    const numbers = [
      number("rotation", 0.61),
      number("supervised", 0.52),
      number("untrained", 0.34),
      { ...number("rotation", 0.9), measure: "pointing" as const },
    ];
    expect(massSentence(numbers, [0.1, Number.NaN, 0.3])).toBe(
      "Maps of rotation put 61.0 % [58.0, 64.0] of their mass on the objects, those of supervised 52.0 % [49.0, 55.0], " +
        "those of untrained 34.0 % [31.0, 37.0] (layer4; 1,500 images, of which the objects cover 20.0 %).",
    );
    expect(massSentence(numbers.slice(-1), [0.1])).toBeUndefined();
  });

  it("names each network's layer where they differ", () => {
    expect(massSentence([number("rotation", 0.61), number("vit", 0.52, "block12")], [0.2])).toBe(
      "Maps of layer4 of rotation put 61.0 % [58.0, 64.0] of their mass on the objects, those of block12 of vit 52.0 % [49.0, 55.0] " +
        "(1,500 images, of which the objects cover 20.0 %).",
    );
  });

  it("has minus signs", () => {
    const turned = { ...number("rotation", -0.165), measure: "equivariance" as const };
    expect(shownNumber(turned)).toBe("−0.165 [−0.195, −0.135]");
  });

  it("is a verdict on the paired difference: more, less, or cannot tell", () => {
    expect(mapVerdict(difference({}))).toBe(
      "rotation has 9.0 points more mass on the objects than supervised " +
        "(layer4; 95 % interval of the difference +6.0 to +12.0 points; 500 images).",
    );
    const less = { value: -0.1, low: -0.2, high: -0.05, measure: "equivariance", baselineLayer: "block12" } as const;
    expect(mapVerdict(difference(less))).toBe(
      "rotation has 0.100 less correlation with the turned-back map than supervised " +
        "(layer4 and block12; 95 % interval of the difference −0.200 to −0.050; 500 images).",
    );
    expect(mapVerdict(difference({ value: 0.01, low: -0.01, high: 0.03, p: 0.3, n: 1 }))).toBe(
      "Cannot tell whether rotation or supervised has more mass on the objects: chance alone could give the difference " +
        "(layer4; 95 % interval of the difference −1.0 to +3.0 points; 1 image). More images would narrow it.",
    );
  });

  it("says so where no image makes a difference", () => {
    const same = { measure: "corloc", value: 0, low: 0, high: 0, p: 1 } as const;
    expect(mapVerdict(difference(same))).toMatch(
      /^rotation and supervised have the same CorLoc on every image \(layer4;/,
    );
  });

  it("is no difference if luck often gives one like it among so many", () => {
    const doubtful = difference({ p: 0.3, comparisons: 40 });
    expect([mapOutcome(doubtful), mapOutcome(difference({}))]).toEqual(["cannot tell", "more"]);
    expect(mapVerdict(doubtful)).toMatch(/among 40 comparisons, luck alone often gives one like it \(p = 0\.30\)/);
  });
});
