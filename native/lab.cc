// Lab and grey of images on the CPU in one pass over the pixels each. The formulas and their sources are in src/augment/lab.ts, which has
// them as operators of libtorch, for other devices: those take a tenth of a step of colorization.
#include <torch/library.h>

#include "pixels.h"

namespace selfsight {

namespace {

using at::Tensor;

// (6/29)³ and (29/6)² / 3: below the first, a line replaces the cube root.
constexpr float epsilon = 216.0f / 24389, slope = 841.0f / 108;

SELFSIGHT_INLINE float linear(float x) {
  const float curve = power((larger(x, 0) + 0.055f) / 1.055f, 2.4f);
  return choose(x < 0.04045f, x / 12.92f, curve);
}
SELFSIGHT_INLINE float root(float x) {
  const float curve = power(larger(x, epsilon), 1 / 3.0f);
  return choose(x < epsilon, x * slope + 4 / 29.0f, curve);
}
SELFSIGHT_INLINE float encoded(float x) {
  const float curve = power(larger(x, 0.0031308f), 1 / 2.4f) * 1.055f - 0.055f;
  return unit(choose(x < 0.0031308f, x * 12.92f, curve));
}

// Three planes of normalised colours to Lab. `mix` is the matrix from linear colours to X, Y and Z as fractions of white.
SELFSIGHT_CLONES void planesToLab(float* __restrict reds, float* __restrict greens, float* __restrict blues, int64_t count, const Three& scale,
                                  const Three& shift, const float* mix) {
  const Three s = scale, t = shift;  // copies: the planes might overlap what is referred to
  const float m[9] = {mix[0], mix[1], mix[2], mix[3], mix[4], mix[5], mix[6], mix[7], mix[8]};
  for (int64_t p = 0; p < count; p++) {
    const float r = linear(reds[p] * s.of[0] + t.of[0]), g = linear(greens[p] * s.of[1] + t.of[1]), b = linear(blues[p] * s.of[2] + t.of[2]);
    const float x = root(m[0] * r + m[1] * g + m[2] * b), y = root(m[3] * r + m[4] * g + m[5] * b), z = root(m[6] * r + m[7] * g + m[8] * b);
    reds[p] = 116 * y - 16;
    greens[p] = 500 * (x - y);
    blues[p] = 200 * (y - z);
  }
}

// Lightness to grey sRGB, 0 to 1.
SELFSIGHT_CLONES void lightnessToGrey(const float* __restrict lightness, float* __restrict grey, int64_t count) {
  for (int64_t p = 0; p < count; p++) {
    const float f = (lightness[p] + 16) / 116;
    grey[p] = encoded(choose(f < 6 / 29.0f, (f - 4 / 29.0f) / slope, f * f * f));
  }
}

// Normalised images (B, 3, H, W) to Lab, contiguous. Colours as fractions are images · scale + shift, channel by channel.
Tensor toLab(const Tensor& images, at::ArrayRef<double> scale, at::ArrayRef<double> shift, at::ArrayRef<double> mix) {
  requireImages(images);
  TORCH_CHECK(mix.size() == 9, "expected a matrix of 9 values, got ", mix.size());
  const Three scales(scale, "scale"), shifts(shift, "shift");
  const std::vector<float> matrix(mix.begin(), mix.end());
  return changePlanes(images, [&](float* reds, float* greens, float* blues, int64_t count, int64_t) {
    planesToLab(reds, greens, blues, count, scales, shifts, matrix.data());
  });
}

// Lab (B, 3, H, W) to grey sRGB of the same lightness, 0 to 1: (B, 1, H, W).
Tensor greyOfLab(const Tensor& lab) {
  requireImages(lab);
  const Tensor planes = lab.detach().contiguous();
  const Tensor grey = at::empty({lab.size(0), 1, lab.size(2), lab.size(3)}, planes.options());
  const int64_t each = lab.size(2) * lab.size(3);
  const float* from = planes.data_ptr<float>();
  float* to = grey.data_ptr<float>();
  at::parallel_for(0, lab.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) lightnessToGrey(from + 3 * each * i, to + each * i, each);
  });
  return grey;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(selfsight, m) {
  m.def("to_lab(Tensor images, float[3] scale, float[3] shift, float[9] mix) -> Tensor", &toLab);
  m.def("grey_of_lab(Tensor lab) -> Tensor", &greyOfLab);
}

}  // namespace selfsight
