// Loops over planes in vector registers: sums over taps and over channels, and the moments of a plane.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include <omp.h>

#if defined(__AVX512F__)
#define VBYTES 64
#define BLOCK 4
#elif defined(__AVX__)
#define VBYTES 32
#define BLOCK 2
#else
#define VBYTES 16
#define BLOCK 2
#endif

namespace edgewise {

constexpr int MANY = 8;  // vectors in flight in a depthwise convolution

template <class T>
struct Vec {
  static constexpr int L = VBYTES / sizeof(T);
  typedef T type __attribute__((vector_size(VBYTES)));
};

template <class T>
inline typename Vec<T>::type load(const T* p) {
  typename Vec<T>::type v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
inline void store(T* p, typename Vec<T>::type v) {
  std::memcpy(p, &v, sizeof v);
}

// The sum of BYTES / sizeof(T) numbers, by halves.
template <class T, int BYTES>
inline T halved(const void* p) {
  typedef T half __attribute__((vector_size(BYTES / 2)));
  half low, high;
  std::memcpy(&low, p, sizeof low);
  std::memcpy(&high, static_cast<const char*>(p) + sizeof low, sizeof high);
  low += high;
  if constexpr (BYTES > 32)
    return halved<T, BYTES / 2>(&low);
  else {
    T sum = 0;
    for (size_t i = 0; i < sizeof low / sizeof(T); ++i) sum += low[i];
    return sum;
  }
}

template <class T>
inline T total(typename Vec<T>::type v) {
  return halved<T, VBYTES>(&v);
}

// Goes over a length in steps of `MANY` vectors and over what is left in ever smaller ones, down to one.
template <class T, int WIDE, class Step>
inline void in_steps(int64_t from, int64_t length, const Step& step) {
  constexpr int64_t SIZE = WIDE * Vec<T>::L, SPARE = WIDE > 1 ? Vec<T>::L : SIZE;
  for (; from + SIZE - SPARE < length; from += SIZE) step(std::integral_constant<int, WIDE>(), from);
  if constexpr (WIDE > 1) in_steps<T, WIDE / 2>(from, length, step);
}

// out[i] = sum of k[t] * in[t][i], over a whole flat plane.
template <class T>
void gather(const T* const* in, const T* k, int taps, T* out, int64_t length, bool add) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::L;
  in_steps<T, MANY>(0, length, [&](auto wide, int64_t i) {
    V acc[wide];
    for (int v = 0; v < wide; ++v) acc[v] = add ? load(out + i + v * L) : V{};
    for (int t = 0; t < taps; ++t) {
      const T* at = in[t] + i;
      const T weight = k[t];
      for (int v = 0; v < wide; ++v) acc[v] += weight * load(at + v * L);
    }
    for (int v = 0; v < wide; ++v) store(out + i + v * L, acc[v]);
  });
}

// dk[t] += sum of g[i] * in[t][i].
template <class T>
void correlate(const T* const* in, const T* g, int taps, T* dk, int64_t length) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::L;
  constexpr int GROUP = 5;
  for (int t = 0; t < taps; t += GROUP) {
    const int here = std::min(GROUP, taps - t);
    V acc[GROUP][2] = {};
    if (here == GROUP) {
      for (int64_t i = 0; i < length; i += 2 * L) {
        const V a = load(g + i), b = load(g + i + L);
        for (int u = 0; u < GROUP; ++u) {
          acc[u][0] += a * load(in[t + u] + i);
          acc[u][1] += b * load(in[t + u] + i + L);
        }
      }
    } else {
      for (int64_t i = 0; i < length; i += 2 * L) {
        const V a = load(g + i), b = load(g + i + L);
        for (int u = 0; u < here; ++u) {
          acc[u][0] += a * load(in[t + u] + i);
          acc[u][1] += b * load(in[t + u] + i + L);
        }
      }
    }
    for (int u = 0; u < here; ++u) dk[t + u] += total<T>(acc[u][0] + acc[u][1]);
  }
}

// out[o] = sum over c of m[o * so + c * sc] * in[c], for flat planes that lie `gap` apart.
template <class T, int OUTS, int WIDE>
void product_block(const T* m, int64_t so, int64_t sc, int64_t c, const T* in, int64_t gap_in, T* out,
                   int64_t gap_out) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::L;
  V acc[OUTS][WIDE] = {};
  for (int64_t q = 0; q < c; ++q) {
    V x[WIDE];
    for (int v = 0; v < WIDE; ++v) x[v] = load(in + q * gap_in + v * L);
    for (int o = 0; o < OUTS; ++o) {
      const T weight = m[o * so + q * sc];
      for (int v = 0; v < WIDE; ++v) acc[o][v] += weight * x[v];
    }
  }
  for (int o = 0; o < OUTS; ++o)
    for (int v = 0; v < WIDE; ++v) store(out + o * gap_out + v * L, acc[o][v]);
}

template <class T, int OUTS>
void product_row(const T* m, int64_t so, int64_t sc, int64_t c, const T* in, int64_t gap_in, T* out,
                 int64_t gap_out, int64_t length) {
  in_steps<T, BLOCK>(0, length, [&](auto wide, int64_t i) {
    product_block<T, OUTS, wide>(m, so, sc, c, in + i, gap_in, out + i, gap_out);
  });
}

template <class T>
void product(const T* m, int64_t so, int64_t sc, int64_t outs, int64_t c, const T* in, int64_t gap_in, T* out,
             int64_t gap_out, int64_t length) {
  int64_t o = 0;
  for (; o + 4 <= outs; o += 4)
    product_row<T, 4>(m + o * so, so, sc, c, in, gap_in, out + o * gap_out, gap_out, length);
  for (; o + 2 <= outs; o += 2)
    product_row<T, 2>(m + o * so, so, sc, c, in, gap_in, out + o * gap_out, gap_out, length);
  for (; o < outs; ++o) product_row<T, 1>(m + o * so, so, sc, c, in, gap_in, out + o * gap_out, gap_out, length);
}

template <class T, int OUTS, int INS>
void outer_block(const T* g, int64_t gap_g, const T* in, int64_t gap_in, int64_t c, T* dm, int64_t length) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::L;
  V acc[OUTS][INS] = {};
  for (int64_t i = 0; i < length; i += L) {
    V a[OUTS];
    for (int o = 0; o < OUTS; ++o) a[o] = load(g + o * gap_g + i);
    for (int q = 0; q < INS; ++q) {
      const V x = load(in + q * gap_in + i);
      for (int o = 0; o < OUTS; ++o) acc[o][q] += a[o] * x;
    }
  }
  for (int o = 0; o < OUTS; ++o)
    for (int q = 0; q < INS; ++q) dm[o * c + q] += total<T>(acc[o][q]);
}

template <class T, int OUTS>
void outer_row(const T* g, int64_t gap_g, const T* in, int64_t gap_in, int64_t c, T* dm, int64_t length) {
  int64_t q = 0;
  for (; q + BLOCK <= c; q += BLOCK)
    outer_block<T, OUTS, BLOCK>(g, gap_g, in + q * gap_in, gap_in, c, dm + q, length);
  for (; q < c; ++q) outer_block<T, OUTS, 1>(g, gap_g, in + q * gap_in, gap_in, c, dm + q, length);
}

// dm[o, c] += sum of g[o] * in[c].
template <class T>
void outer(const T* g, int64_t gap_g, int64_t outs, const T* in, int64_t gap_in, int64_t c, T* dm,
           int64_t length) {
  int64_t o = 0;
  for (; o + 4 <= outs; o += 4)
    outer_row<T, 4>(g + o * gap_g, gap_g, in, gap_in, c, dm + o * c, length);
  for (; o < outs; ++o) outer_row<T, 1>(g + o * gap_g, gap_g, in, gap_in, c, dm + o * c, length);
}

// Adds the sum and the sum of squares of some values. Squares are taken about their mean, so that no digits are
// lost where a mean is many standard deviations from zero.
template <class T>
void moments(const T* __restrict x, int64_t size, double* sums) {
  T sum = 0, off = 0, squares = 0;
  for (int64_t i = 0; i < size; ++i) sum += x[i];
  const T mean = sum / T(size);
  for (int64_t i = 0; i < size; ++i) {
    const T v = x[i] - mean;
    off += v;
    squares += v * v;
  }
  sums[0] += double(mean) * size + off;
  sums[1] += squares + double(mean) * (2.0 * off + double(mean) * size);
}

// out = a * g + b * y + d: a gradient in front of a batch norm.
template <class T>
void combine(const T* __restrict g, const T* __restrict y, T a, T b, T d, int64_t size, T* __restrict out) {
  for (int64_t i = 0; i < size; ++i) out[i] = a * g[i] + b * y[i] + d;
}

template <class T>
struct Buffer {
  std::vector<T> data;
  T* planes(int64_t count) {
    data.assign(count + 64 / sizeof(T), T(0));
    const auto from = reinterpret_cast<uintptr_t>(data.data());
    return reinterpret_cast<T*>((from + 63) / 64 * 64);
  }
};

}  // namespace edgewise
