// ReLU and a 1x1 convolution from any number of channels to any other, forward and backward; or two of them, of
// stride 2, on grids that lie one pixel apart: the factorised reduction.
#pragma once
#include "flat.h"

namespace edgewise {

// The geometry of one pass: `grids` products, of `outs` channels each, over strips of rows of the output.
struct Grids {
  int64_t n, c, h, w, grids, outs[2];
  int64_t stride, ho, wo, rows, gap;
  Grids(const int64_t* z) : n(z[0]), c(z[1]), h(z[2]), w(z[3]), grids(z[4]), outs{z[5], z[6]} {
    stride = grids;
    if (stride == 1) {  // Pixels have no neighbours here, and long rows are the faster ones.
      w *= h;
      h = 1;
      while (w % 2 == 0 && w > STRIP) {
        w /= 2;
        h *= 2;
      }
    }
    ho = (h + stride - 1) / stride;
    wo = (w + stride - 1) / stride;
    rows = std::max<int64_t>(1, STRIP / wo);
    // An odd number of cache lines apart, so that planes do not compete for the same ones.
    gap = ((rows * wo + 15) / 16 | 1) * 16;
  }
  int64_t all() const { return outs[0] + (grids > 1 ? outs[1] : 0); }
  static constexpr int64_t STRIP = 256;
};

// Rows of ReLU(x), a grid after the other; what lies beyond the image is zero.
template <class T>
void take(const Grids& p, const T* x, int64_t from, int64_t to, T* flat) {
  for (int64_t grid = 0; grid < p.grids; ++grid)
    for (int64_t c = 0; c < p.c; ++c) {
      T* out = flat + (grid * p.c + c) * p.gap;
      for (int64_t i = from; i < to; ++i, out += p.wo) {
        const int64_t at = i * p.stride + grid;
        const T* row = x + (c * p.h + at) * p.w + grid;
        const int64_t inside = at < p.h ? (p.w - grid + p.stride - 1) / p.stride : 0;
        if (p.stride == 1)
          for (int64_t j = 0; j < inside; ++j) out[j] = std::max(row[j], T(0));
        else
          for (int64_t j = 0; j < inside; ++j) out[j] = std::max(row[2 * j], T(0));
        std::fill(out + inside, out + p.wo, T(0));
      }
    }
}

// The gradient of `take`, for all pixels of its rows.
template <class T>
void give(const Grids& p, const T* grad, const T* flat, int64_t from, int64_t to, T* dx) {
  for (int64_t grid = 0; grid < p.grids; ++grid)
    for (int64_t c = 0; c < p.c; ++c) {
      const T *g = grad + (grid * p.c + c) * p.gap, *u = flat + (grid * p.c + c) * p.gap;
      for (int64_t i = from; i < to; ++i, g += p.wo, u += p.wo) {
        const int64_t at = i * p.stride + grid;
        if (at >= p.h) continue;
        T* row = dx + (c * p.h + at) * p.w;
        if (p.stride == 1) {
          for (int64_t j = 0; j < p.w; ++j) row[j] = u[j] > T(0) ? g[j] : T(0);
        } else {
          // Each grid owns every second row, and in it every second pixel.
          std::fill(row, row + p.w, T(0));
          const int64_t inside = (p.w - grid + 1) / 2;
          for (int64_t j = 0; j < inside; ++j) row[2 * j + grid] = u[j] > T(0) ? g[j] : T(0);
        }
      }
    }
}

template <class T>
void pointwise_forward(const Grids& p, const T* x, const int64_t* weights, T* y, double* sums) {
  const int64_t plane = p.ho * p.wo, outs = p.all();
#pragma omp parallel
  {
    Buffer<T> flat_buffer, y_buffer;
    T* flat = flat_buffer.planes(p.grids * p.c * p.gap + 64);
    T* out = y_buffer.planes(outs * p.gap + 64);
#pragma omp for schedule(static)
    for (int64_t n = 0; n < p.n; ++n) {
      std::fill(sums + n * outs * 2, sums + (n + 1) * outs * 2, 0.0);
      for (int64_t from = 0; from < p.ho; from += p.rows) {
        const int64_t to = std::min(from + p.rows, p.ho), size = (to - from) * p.wo;
        take(p, x + n * p.c * p.h * p.w, from, to, flat);
        for (int64_t grid = 0, first = 0; grid < p.grids; first += p.outs[grid++])
          product(reinterpret_cast<const T*>(weights[grid]), p.c, 1, p.outs[grid], p.c, flat + grid * p.c * p.gap,
                  p.gap, out + first * p.gap, p.gap, size);
        for (int64_t o = 0; o < outs; ++o) {
          std::copy(out + o * p.gap, out + o * p.gap + size, y + (n * outs + o) * plane + from * p.wo);
          moments(out + o * p.gap, size, sums + (n * outs + o) * 2);
        }
      }
    }
  }
}

template <class T>
void pointwise_backward(const Grids& p, const T* x, const int64_t* weights, const T* y,
                        const Upstream& upstream, const int64_t* gradients, T* dx) {
  const T* g = reinterpret_cast<const T*>(*upstream.address);
  const double *a = upstream.a, *b = upstream.b, *d = upstream.d;
  const int64_t plane = p.ho * p.wo, outs = p.all();
  std::vector<std::vector<T>> parts(omp_get_max_threads());
#pragma omp parallel
  {
    Buffer<T> flat_buffer, dy_buffer, du_buffer;
    T* flat = flat_buffer.planes(p.grids * p.c * p.gap + 64);
    T* dy = dy_buffer.planes(outs * p.gap + 64);
    T* du = du_buffer.planes(p.grids * p.c * p.gap + 64);
    std::vector<T> own;
    if (gradients) own.assign(outs * p.c, T(0));
#pragma omp for schedule(static)
    for (int64_t n = 0; n < p.n; ++n)
      for (int64_t from = 0; from < p.ho; from += p.rows) {
        const int64_t to = std::min(from + p.rows, p.ho), size = (to - from) * p.wo;
        take(p, x + n * p.c * p.h * p.w, from, to, flat);
        for (int64_t o = 0; o < outs; ++o) {
          const int64_t at = (n * outs + o) * plane + from * p.wo;
          combine(g + at, y + at, T(a[o]), T(b[o]), T(d[o]), size, dy + o * p.gap);
          std::fill(dy + o * p.gap + size, dy + (o + 1) * p.gap, T(0));
        }
        for (int64_t grid = 0, first = 0; grid < p.grids; first += p.outs[grid++]) {
          const T *there = flat + grid * p.c * p.gap, *here = dy + first * p.gap;
          product(reinterpret_cast<const T*>(weights[grid]), 1, p.c, p.c, p.outs[grid], here, p.gap,
                  du + grid * p.c * p.gap, p.gap, size);
          if (gradients) outer(here, p.gap, p.outs[grid], there, p.gap, p.c, own.data() + first * p.c, size);
        }
        give(p, du, flat, from, to, dx + n * p.c * p.h * p.w);
      }
    if (gradients) parts[omp_get_thread_num()] = std::move(own);
  }
  if (!gradients) return;
  for (int64_t grid = 0, first = 0; grid < p.grids; first += p.outs[grid++]) {
    T* to = reinterpret_cast<T*>(gradients[grid]);
    for (int64_t i = 0; i < p.outs[grid] * p.c; ++i) {
      T sum = 0;
      for (const auto& part : parts)
        if (!part.empty()) sum += part[first * p.c + i];
      to[i] = sum;
    }
  }
}

}  // namespace edgewise
