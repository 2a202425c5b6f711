// A convolution as matrix products: 1×1 kernels, and 3×3 kernels on small maps. Each thread computes its own part of the result by
// products on one thread: a product on all threads waits for its slowest part, and a network has many small ones.
#include "convolution.h"

namespace selfsight {

using at::Tensor;

namespace {

// (B, C, H, W) to (B, H, W, C), contiguous: a view if x is channels-last. And back.
Tensor toNhwc(const Tensor& x) { return x.permute({0, 2, 3, 1}).contiguous(); }
Tensor fromNhwc(const Tensor& places) { return places.permute({0, 3, 1, 2}); }

// out += a · b, or out = a · b.
void multiply(Tensor out, const Tensor& a, const Tensor& b, bool add) {
  if (add) {
    out.addmm_(a, b);
  } else {
    at::mm_out(out, a, b);
  }
}

}  // namespace

// ---- 1×1 kernels

namespace {

Tensor subsample(const Tensor& x, int64_t stride) {
  return stride == 1 ? x : x.slice(2, 0, INT64_MAX, stride).slice(3, 0, INT64_MAX, stride);
}

// Rows (N, K) times a matrix (K, M): (N, M).
Tensor multiplyRows(const Tensor& rows, const Tensor& matrix) {
  const Tensor out = at::empty({rows.size(0), matrix.size(1)}, rows.options());
  onAllThreads(rows.size(0), rows.size(0), [&](int64_t first, int64_t count, int64_t) {
    multiply(out.narrow(0, first, count), rows.narrow(0, first, count), matrix, false);
  });
  return out;
}

}  // namespace

Tensor productForward(const Tensor& x, const Tensor& weight, const Geometry& g) {
  const Tensor seen = toNhwc(subsample(x, g.stride));
  const Tensor out = multiplyRows(seen.view({-1, x.size(1)}), weight.flatten(1).t());
  return fromNhwc(out.view({seen.size(0), seen.size(1), seen.size(2), -1}));
}

Tensor productInputGradient(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Geometry& g) {
  const Tensor places = toNhwc(gradient);
  const Tensor rows = multiplyRows(places.view({-1, gradient.size(1)}), weight.flatten(1));
  const Tensor seen = fromNhwc(rows.view({places.size(0), places.size(1), places.size(2), -1}));
  if (g.stride == 1) return seen;
  const Tensor all = fromNhwc(at::zeros({x.size(0), x.size(2), x.size(3), x.size(1)}, seen.options()));
  subsample(all, g.stride).copy_(seen);
  return all;
}

Tensor productWeightGradient(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Geometry& g) {
  const Tensor gradients = toNhwc(gradient).view({-1, gradient.size(1)});
  const Tensor rows = toNhwc(subsample(x, g.stride)).view({-1, x.size(1)});
  const Tensor out = at::empty({gradient.size(1), x.size(1)}, x.options());
  onAllThreads(gradient.size(1), gradient.size(1), [&](int64_t first, int64_t count, int64_t) {
    multiply(out.narrow(0, first, count), gradients.narrow(1, first, count).t(), rows, false);
  });
  return out.view(weight.sizes());
}

// ---- Small maps: each place of the output is a sum over the places of the input, each with the tap that connects the two

namespace {

// Calls body(out, in, tap) for each place of the output and each place of the input next to it: indices row by row, and the tap (O, C) of
// the kernels that connects them.
template <typename Body>
void overPlaces(const Tensor& weight, int64_t height, int64_t width, const Body& body) {
  for (int64_t out = 0; out < height * width; out++) {
    for (int64_t in = 0; in < height * width; in++) {
      const int64_t down = in / width - out / width, right = in % width - out % width;
      if (std::abs(down) <= 1 && std::abs(right) <= 1) body(out, in, weight.select(3, right + 1).select(2, down + 1));
    }
  }
}

// Maps (B, C, H, W) to (H·W, B, C): a view of each place's values.
Tensor byPlace(const Tensor& x) { return toNhwc(x).flatten(1, 2).transpose(0, 1); }

Tensor emptyPlaces(const Tensor& like, int64_t channels) {
  return at::empty({like.size(0), like.size(2), like.size(3), channels}, like.options());
}

}  // namespace

Tensor smallMapsForward(const Tensor& x, const Tensor& weight) {
  const Tensor maps = emptyPlaces(x, weight.size(0)), inputs = byPlace(x), outputs = maps.flatten(1, 2).transpose(0, 1);
  onAllThreads(weight.size(0), weight.size(0), [&](int64_t first, int64_t count, int64_t) {
    std::vector<bool> begun(outputs.size(0));
    overPlaces(weight, x.size(2), x.size(3), [&](int64_t out, int64_t in, const Tensor& tap) {
      multiply(outputs.select(0, out).narrow(1, first, count), inputs.select(0, in), tap.narrow(0, first, count).t(), begun[out]);
      begun[out] = true;
    });
  });
  return fromNhwc(maps);
}

Tensor smallMapsInputGradient(const Tensor& gradient, const Tensor& x, const Tensor& weight) {
  const Tensor maps = emptyPlaces(x, x.size(1)), outputs = byPlace(gradient), inputs = maps.flatten(1, 2).transpose(0, 1);
  onAllThreads(x.size(1), x.size(1), [&](int64_t first, int64_t count, int64_t) {
    std::vector<bool> begun(inputs.size(0));
    overPlaces(weight, x.size(2), x.size(3), [&](int64_t out, int64_t in, const Tensor& tap) {
      multiply(inputs.select(0, in).narrow(1, first, count), outputs.select(0, out), tap.narrow(1, first, count), begun[in]);
      begun[in] = true;
    });
  });
  return fromNhwc(maps);
}

Tensor smallMapsWeightGradient(const Tensor& gradient, const Tensor& x, const Tensor& weight) {
  const Tensor inputs = byPlace(x), outputs = byPlace(gradient);
  const Tensor taps = fromNhwc(at::zeros({weight.size(0), 3, 3, weight.size(1)}, x.options()));  // (O, C, 3, 3)
  onAllThreads(weight.size(0), weight.size(0), [&](int64_t first, int64_t count, int64_t) {
    overPlaces(taps, x.size(2), x.size(3), [&](int64_t out, int64_t in, const Tensor& tap) {
      multiply(tap.narrow(0, first, count), outputs.select(0, out).narrow(1, first, count).t(), inputs.select(0, in), true);
    });
  });
  return taps;
}

}  // namespace selfsight
