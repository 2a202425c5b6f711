// Mathematics for loops over pixels that the compiler turns into code for several pixels at once: no calls, and choices in place of
// branches. The files that include this are compiled with -O3 (CMakeLists.txt).
#pragma once
#include <cstdint>
#include <cstring>

// The addon is compiled for every x86-64. Where the compiler can, it adds a version for AVX2, chosen when the addon is loaded.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
#define SELFSIGHT_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define SELFSIGHT_CLONES
#endif

#define SELFSIGHT_INLINE inline __attribute__((always_inline))

namespace selfsight {

SELFSIGHT_INLINE float larger(float a, float b) { return a > b ? a : b; }
SELFSIGHT_INLINE float smaller(float a, float b) { return a < b ? a : b; }
SELFSIGHT_INLINE float unit(float x) { return smaller(larger(x, 0), 1); }

// x without its whole part, for |x| < 2^31.
SELFSIGHT_INLINE float wrap(float x) {
  const float whole = static_cast<float>(static_cast<int32_t>(x));
  return x - whole + (whole > x ? 1.0f : 0.0f);
}

SELFSIGHT_INLINE float bitsToFloat(int32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// condition ? a : b, without a branch: GCC makes one of ?: where a or b takes some computing.
SELFSIGHT_INLINE float choose(bool condition, float a, float b) {
  int32_t x, y;
  std::memcpy(&x, &a, sizeof x);
  std::memcpy(&y, &b, sizeof y);
  const int32_t mask = -static_cast<int32_t>(condition);
  return bitsToFloat((x & mask) | (y & ~mask));
}

// Natural logarithm of a normal x > 0, to 1e-7 of 1: x = 2^e · m with m from 2/3 to 4/3, log m = 2 artanh((m - 1) / (m + 1)).
SELFSIGHT_INLINE float logarithm(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const int32_t exponent = (bits - 0x3f2aaaab) >> 23;
  const float m = bitsToFloat(bits - exponent * (1 << 23)), s = (m - 1) / (m + 1), z = s * s;
  return exponent * 0.693147181f + 2 * s * (1 + z * (1 / 3.0f + z * (1 / 5.0f + z * (1 / 7.0f + z * (1 / 9.0f)))));
}

// e^x for x from -87 to 0.5, to 1e-7 of it: 2^n · e^r with |r| < 0.7, by Taylor's series.
SELFSIGHT_INLINE float exponential(float x) {
  const int32_t n = static_cast<int32_t>(x * 1.442695041f - 0.5f);
  const float r = x - n * 0.693147181f;
  const float series = 1 + r * (1 + r * (1 / 2.0f + r * (1 / 6.0f + r * (1 / 24.0f + r * (1 / 120.0f + r * (1 / 720.0f + r * (1 / 5040.0f)))))));
  return series * bitsToFloat((n + 127) * (1 << 23));
}

// x to a power, for a normal x > 0, if the result is not below 1e-37 and not above 1.5.
SELFSIGHT_INLINE float power(float x, float exponent) { return exponential(logarithm(x) * exponent); }

}  // namespace selfsight
