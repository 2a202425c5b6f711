// What the passes over the pixels of images share: colour.cc and lab.cc.
#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "pixel-math.h"

namespace selfsight {

// A value for each channel.
struct Three {
  float of[3];
  Three(at::ArrayRef<double> values, const char* name) {
    TORCH_CHECK(values.size() == 3, "expected 3 values of ", name, ", got ", values.size());
    for (int i = 0; i < 3; i++) of[i] = values[i];
  }
};

// These passes have no derivative, and would cut the graph without a word. The same as operators of libtorch, in src/augment/, has one.
inline void requireNoGradient(const at::Tensor& tensor) {
  TORCH_CHECK(!(at::GradMode::is_enabled() && tensor.requires_grad()), "expected a tensor that needs no gradient, which cannot go through here: ",
              "give detach(), or call it within noGrad()");
}

inline void requireImages(const at::Tensor& images) {
  requireNoGradient(images);
  TORCH_CHECK(images.dim() == 4 && images.size(1) == 3 && images.scalar_type() == at::kFloat && images.is_cpu() && images.layout() == at::kStrided,
              "expected images (B, 3, H, W) in f32 on the CPU");
}

// A contiguous copy of images (B, 3, H, W), changed in place by body(reds, greens, blues, count, image): the planes of each image.
template <typename Body>
at::Tensor changePlanes(const at::Tensor& images, const Body& body) {
  const at::Tensor changed = images.detach().clone(at::MemoryFormat::Contiguous);
  const int64_t each = changed.size(2) * changed.size(3);
  float* values = changed.data_ptr<float>();
  at::parallel_for(0, changed.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      float* image = values + 3 * each * i;
      body(image, image + each, image + 2 * each, each, i);
    }
  });
  return changed;
}

}  // namespace selfsight
