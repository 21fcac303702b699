// Flat planes and the loops over them.
//
// A plane is kept "flat": rows of width W follow each other with PAD zeros between them (and PAD rows of zeros above
// and below), so that a tap of a convolution is one offset for the whole plane and loops run over it without caring
// for rows. A stride of 2 splits the input in four planes, by the parity of row and column; then every tap is again
// one plane and one offset. All tensors are contiguous NCHW; `ss` is the distance between samples in elements.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
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

template <class T>
inline T total(typename Vec<T>::type v) {
  T sum = 0;
  for (int i = 0; i < Vec<T>::L; ++i) sum += v[i];
  return sum;
}

// The geometry of one pass.
struct Plan {
  int64_t n, c, h, w, stride, pad;
  int64_t ho, wo, phases, rows, s, plane, length, slack;
  Plan(int64_t n_, int64_t c_, int64_t h_, int64_t w_, int64_t stride_, int64_t pad_)
      : n(n_), c(c_), h(h_), w(w_), stride(stride_), pad(pad_) {
    ho = (h + stride - 1) / stride;
    wo = (w + stride - 1) / stride;
    phases = stride * stride;
    s = wo + pad;
    rows = ho + 2 * pad;
    slack = MANY * VBYTES;  // elements that vector loops may read and write beyond the end
    plane = rows * s + 2 * slack;
    length = ho * s;
  }
  int64_t origin() const { return slack + pad * s; }
};

inline int64_t floor_half(int64_t v) { return v >= 0 ? v / 2 : -((1 - v) / 2); }

// Where the taps of a kernel lie: plane and offset of each.
struct Taps {
  int n;
  std::vector<int64_t> phase, offset;
  Taps(const Plan& p, int64_t k, int64_t dilation) : n(static_cast<int>(k * k)) {
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < k; ++j) {
        int64_t dy = (i - k / 2) * dilation, dx = (j - k / 2) * dilation;
        if (p.stride == 1) {
          phase.push_back(0);
          offset.push_back(dy * p.s + dx);
        } else {
          int64_t qy = floor_half(dy), qx = floor_half(dx);
          phase.push_back((dy - 2 * qy) * 2 + (dx - 2 * qx));
          offset.push_back(qy * p.s + qx);
        }
      }
  }
};

// ReLU(scale * x + shift) of one plane into flat phase planes; the pads stay as they are (zero).
template <class T>
void unfold(const Plan& p, const T* x, T scale, T shift, T* flat) {
  for (int64_t h = 0; h < p.h; ++h) {
    const T* row = x + h * p.w;
    if (p.stride == 1) {
      T* out = flat + p.origin() + h * p.s;
      for (int64_t w = 0; w < p.w; ++w) out[w] = std::max(scale * row[w] + shift, T(0));
    } else {
      T* even = flat + (h % 2) * 2 * p.plane + p.origin() + (h / 2) * p.s;
      T* odd = even + p.plane;
      for (int64_t w = 0; w + 1 < p.w; w += 2) {
        even[w / 2] = std::max(scale * row[w] + shift, T(0));
        odd[w / 2] = std::max(scale * row[w + 1] + shift, T(0));
      }
      if (p.w % 2) even[p.w / 2] = std::max(scale * row[p.w - 1] + shift, T(0));
    }
  }
}

// out[i] = sum of k[t] * in[t][i], over a whole flat plane.
template <class T>
void gather(const T* const* in, const T* k, int taps, T* out, int64_t length, bool add) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::L;
  for (int64_t i = 0; i < length; i += MANY * L) {
    V acc[MANY];
    for (int v = 0; v < MANY; ++v) acc[v] = add ? load(out + i + v * L) : V{};
    for (int t = 0; t < taps; ++t) {
      const T* at = in[t] + i;
      const T weight = k[t];
      for (int v = 0; v < MANY; ++v) acc[v] += weight * load(at + v * L);
    }
    for (int v = 0; v < MANY; ++v) store(out + i + v * L, acc[v]);
  }
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
template <class T, int OUTS>
void product_block(const T* m, int64_t so, int64_t sc, int64_t c, const T* in, int64_t gap_in, T* out,
                   int64_t gap_out, int64_t length) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::L;
  for (int64_t i = 0; i < length; i += BLOCK * L) {
    V acc[OUTS][BLOCK] = {};
    for (int64_t q = 0; q < c; ++q) {
      V x[BLOCK];
      for (int v = 0; v < BLOCK; ++v) x[v] = load(in + q * gap_in + i + v * L);
      for (int o = 0; o < OUTS; ++o) {
        const T weight = m[o * so + q * sc];
        for (int v = 0; v < BLOCK; ++v) acc[o][v] += weight * x[v];
      }
    }
    for (int o = 0; o < OUTS; ++o)
      for (int v = 0; v < BLOCK; ++v) store(out + o * gap_out + i + v * L, acc[o][v]);
  }
}

template <class T>
void product(const T* m, int64_t so, int64_t sc, int64_t outs, int64_t c, const T* in, int64_t gap_in, T* out,
             int64_t gap_out, int64_t length) {
  int64_t o = 0;
  for (; o + 4 <= outs; o += 4)
    product_block<T, 4>(m + o * so, so, sc, c, in, gap_in, out + o * gap_out, gap_out, length);
  for (; o + 2 <= outs; o += 2)
    product_block<T, 2>(m + o * so, so, sc, c, in, gap_in, out + o * gap_out, gap_out, length);
  for (; o < outs; ++o) product_block<T, 1>(m + o * so, so, sc, c, in, gap_in, out + o * gap_out, gap_out, length);
}

// dm[o, c] += sum of g[o] * in[c].
template <class T>
void outer(const T* g, int64_t gap_g, int64_t outs, const T* in, int64_t gap_in, int64_t c, T* dm, int64_t length) {
  using V = typename Vec<T>::type;
  constexpr int L = Vec<T>::L;
  for (int64_t o = 0; o < outs; o += 2)
    for (int64_t q = 0; q < c; q += 2) {
      const int64_t o1 = std::min(o + 1, outs - 1), q1 = std::min(q + 1, c - 1);
      V acc[4] = {};
      for (int64_t i = 0; i < length; i += L) {
        const V a = load(g + o * gap_g + i), b = load(g + o1 * gap_g + i);
        const V x = load(in + q * gap_in + i), y = load(in + q1 * gap_in + i);
        acc[0] += a * x;
        acc[1] += a * y;
        acc[2] += b * x;
        acc[3] += b * y;
      }
      dm[o * c + q] += total<T>(acc[0]);
      if (q1 > q) dm[o * c + q1] += total<T>(acc[1]);
      if (o1 > o) dm[o1 * c + q] += total<T>(acc[2]);
      if (o1 > o && q1 > q) dm[o1 * c + q1] += total<T>(acc[3]);
    }
}

template <class T>
struct Buffer {
  std::vector<T> data;
  T* planes(int64_t count) {
    data.assign(count, T(0));
    return data.data();
  }
};

// The planes that a branch's taps read, for one channel.
template <class T>
void aim(const Taps& taps, const Plan& p, const T* flat, std::vector<const T*>& in) {
  in.resize(taps.n);
  for (int t = 0; t < taps.n; ++t) in[t] = flat + taps.phase[t] * p.plane + p.origin() + taps.offset[t];
}

template <class T>
void input_planes(const Plan& p, const T* x, const double* mean, const double* rstd, T* flat) {
  for (int64_t c = 0; c < p.c; ++c) {
    const T scale = mean ? T(rstd[c]) : T(1), shift = mean ? T(-mean[c] * rstd[c]) : T(0);
    unfold(p, x + c * p.h * p.w, scale, shift, flat + c * p.phases * p.plane);
  }
}

template <class T>
void depthwise(const Plan& p, const Taps& taps, const T* flat, const T* k, T* out, std::vector<const T*>& in) {
  for (int64_t c = 0; c < p.c; ++c) {
    aim(taps, p, flat + c * p.phases * p.plane, in);
    gather(in.data(), k + c * taps.n, taps.n, out + c * p.plane + p.origin(), p.length, false);
  }
}

}  // namespace edgewise
