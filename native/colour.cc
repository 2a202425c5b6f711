// The colour changes of src/augment/contrast.ts in one pass over the pixels, for images on the CPU: as some 60 operators of libtorch, they
// took a seventh of a step of exemplar. contrast.ts has the same as operators, for other devices.
#include <torch/library.h>

#include <cmath>

#include "pixels.h"

namespace selfsight {

namespace {

using at::Tensor;

// How one image changes, as contrast.ts draws it: the columns of `changes`.
struct Change {
  float mix[9];  // rows of the matrix on the centred colour
  float turn;    // of the hue, as a fraction of the circle
  float saturation[3], value[3];  // power, factor, shift
};
constexpr int64_t columns = sizeof(Change) / sizeof(float);

// Colours as fractions: normalised · scale + shift, channel by channel.
struct Colours {
  Three centre, scale, shift;
};

// x from 0 to 1 to a power, times a factor, plus a shift.
SELFSIGHT_INLINE float bend(float x, const float* c) { return unit(power(larger(x, 1e-6f), c[0]) * c[1] + c[2]); }

// A channel of a centred colour (x, y, z) after the mixing, as a fraction.
SELFSIGHT_INLINE float mixed(float x, float y, float z, const float* row, int channel, const Colours& of) {
  return unit((of.centre.of[channel] + row[0] * x + row[1] * y + row[2] * z) * of.scale.of[channel] + of.shift.of[channel]);
}

// `count` colours in place, in three planes. Hue, saturation and value as in src/augment/hsv.ts.
SELFSIGHT_CLONES void change(float* __restrict reds, float* __restrict greens, float* __restrict blues, int64_t count, const Change& change,
                             const Colours& colours) {
  const Change c = change;  // copies: the planes might overlap what is referred to
  const Colours of = colours;
  for (int64_t p = 0; p < count; p++) {
    const float x = reds[p] - of.centre.of[0], y = greens[p] - of.centre.of[1], z = blues[p] - of.centre.of[2];
    const float r = mixed(x, y, z, c.mix, 0, of), g = mixed(x, y, z, c.mix + 3, 1, of), b = mixed(x, y, z, c.mix + 6, 2, of);
    const float most = larger(larger(r, g), b), range = most - smaller(smaller(r, g), b);
    const float sixth = 1 / (6 * larger(range, 1e-8f));
    const float ifRed = (g - b) * sixth, ifGreen = (b - r) * sixth + 1 / 3.0f, ifBlue = (r - g) * sixth + 2 / 3.0f;
    const float hue = (most == r ? ifRed : most == g ? ifGreen : ifBlue) + c.turn;
    const float value = bend(most, c.value), chroma = value * bend(range / larger(most, 1e-8f), c.saturation);
    const auto channel = [&](float sixths) __attribute__((always_inline)) {
      return value - chroma * unit(2 - std::abs(6 * wrap(hue + sixths / 6) - 2));
    };
    reds[p] = (channel(5) - of.shift.of[0]) / of.scale.of[0];
    greens[p] = (channel(3) - of.shift.of[1]) / of.scale.of[1];
    blues[p] = (channel(1) - of.shift.of[2]) / of.scale.of[2];
  }
}

// images (B, 3, H, W) f32 and changes (B, 16) f32 to images, contiguous.
Tensor changeColours(const Tensor& images, const Tensor& changes, at::ArrayRef<double> centre, at::ArrayRef<double> scale, at::ArrayRef<double> shift) {
  requireImages(images);
  requireNoGradient(changes);
  TORCH_CHECK(changes.dim() == 2 && changes.size(0) == images.size(0) && changes.size(1) == columns && changes.scalar_type() == at::kFloat &&
                  changes.is_cpu() && changes.layout() == at::kStrided,
              "expected changes (", images.size(0), ", ", columns, ") in f32 on the CPU");
  const Colours of{{centre, "centre"}, {scale, "scale"}, {shift, "shift"}};
  const Tensor table = changes.detach().contiguous();
  const Change* all = reinterpret_cast<const Change*>(table.data_ptr<float>());
  return changePlanes(images, [&](float* reds, float* greens, float* blues, int64_t count, int64_t image) {
    change(reds, greens, blues, count, all[image], of);
  });
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(selfsight, m) {
  m.def("change_colours(Tensor images, Tensor changes, float[3] centre, float[3] scale, float[3] shift) -> Tensor", &changeColours);
}

}  // namespace selfsight
