// ReLU, depthwise and pointwise convolution of many branches in one pass, forward and backward.
#pragma once
#include "flat.h"

namespace edgewise {

// A branch's input behind what is in front of its ReLU, and the ReLU, into flat planes.
template <class T>
void input_of_branch(const Plan& p, const Input<T>& x, int64_t n, int64_t branch, T* flat) {
  const int64_t at = x.branch_stride ? branch * p.c : 0;
  input_planes(p, x.data + n * x.stride + branch * x.branch_stride, x.scale ? x.scale + at : nullptr,
               x.shift ? x.shift + at : nullptr, flat);
}

template <class T>
void branches_forward(const Shape& shape, const Input<T>& x, const Convolutions& weights, T* y, double* sums) {
  const Plan p(shape);
  const int64_t out_plane = p.ho * p.wo, nb = weights.count;
  std::vector<Taps> taps;
  for (int64_t b = 0; b < nb; ++b) taps.emplace_back(p, weights.size[b], weights.dilation[b]);
#pragma omp parallel
  {
    Buffer<T> flat_buffer, d_buffer, y_buffer;
    T* flat = flat_buffer.planes(p.c * p.phases * p.plane);
    T* d = d_buffer.planes(p.c * p.plane);
    T* out = y_buffer.planes(p.c * p.plane);
    std::vector<const T*> in;
#pragma omp for schedule(static)
    for (int64_t n = 0; n < p.n; ++n) {
      for (int64_t b = 0; b < nb; ++b) {
        if (b == 0 || x.branch_stride) input_of_branch(p, x, n, b, flat);
        depthwise(p, taps[b], flat, reinterpret_cast<const T*>(weights.depthwise[b]), d, in);
        product(reinterpret_cast<const T*>(weights.pointwise[b]), p.c, 1, p.c, p.c, d + p.origin(), p.plane, out + p.origin(),
                p.plane, p.length);
        for (int64_t c = 0; c < p.c; ++c) {
          T* to = y + ((n * nb + b) * p.c + c) * out_plane;
          for (int64_t h = 0; h < p.ho; ++h) {
            const T* row = out + c * p.plane + p.origin() + h * p.s;
            std::copy(row, row + p.wo, to + h * p.wo);
          }
          double* s = sums + ((n * nb + b) * p.c + c) * 2;
          s[0] = s[1] = 0;
          moments(to, out_plane, s);
        }
      }
    }
  }
}

// One upstream gradient of a branch: dy = a * g + b * y + d, into a flat plane whose pads stay zero.
template <class T>
void upstream_plane(const Plan& p, const T* g, const T* y, T a, T b, T d, T* flat) {
  for (int64_t h = 0; h < p.ho; ++h)
    combine(g + h * p.wo, y + h * p.wo, a, b, d, p.wo, flat + p.origin() + h * p.s);
}

// du[phase] += transposed depthwise convolution of dd, over whole phase planes.
template <class T>
void depthwise_back(const Plan& p, const Taps& taps, const T* dd, const T* k, T* du, std::vector<const T*>& in,
                    std::vector<T>& chosen) {
  for (int64_t phase = 0; phase < p.phases; ++phase) {
    in.clear();
    chosen.clear();
    for (int t = 0; t < taps.n; ++t)
      if (taps.phase[t] == phase) {
        in.push_back(dd + p.origin() - taps.offset[t]);
        chosen.push_back(k[t]);
      }
    if (!in.empty())
      gather(in.data(), chosen.data(), static_cast<int>(in.size()), du + phase * p.plane + p.origin(), p.length,
             true);
  }
}

// One row of what comes back to x, of every `every`-th pixel: du where the ReLU was open.
template <class T>
void fold_row(const T* __restrict du, const T* __restrict u, int64_t size, int64_t every, T* __restrict dx,
              bool add) {
  for (int64_t w = 0; w < size; ++w) {
    const T v = u[w] > T(0) ? du[w] : T(0);
    dx[w * every] = add ? dx[w * every] + v : v;
  }
}

// Adds du where the ReLU was open to dx, or writes it and its sums.
template <class T>
void fold(const Plan& p, const T* du, const T* u, const T* x, T* dx, bool write, double* sums) {
  for (int64_t h = 0; h < p.h; ++h) {
    T* row = dx + h * p.w;
    if (p.stride == 1) {
      const int64_t at = p.origin() + h * p.s;
      if (write)
        fold_row(du + at, u + at, p.w, 1, row, false);
      else
        fold_row(du + at, u + at, p.w, 1, row, true);
    } else {
      const int64_t at = (h % 2) * 2 * p.plane + p.origin() + (h / 2) * p.s;
      fold_row(du + at, u + at, (p.w + 1) / 2, 2, row, !write);
      fold_row(du + at + p.plane, u + at + p.plane, p.w / 2, 2, row + 1, !write);
    }
  }
  if (!write) return;
  double sum = 0, inner = 0;
  for (int64_t start = 0; start < p.h * p.w; start += 64) {
    const int64_t end = std::min<int64_t>(start + 64, p.h * p.w);
    T part = 0, part2 = 0;
    for (int64_t i = start; i < end; ++i) {
      part += dx[i];
      part2 += dx[i] * x[i];
    }
    sum += part;
    inner += part2;
  }
  sums[0] = sum;
  sums[1] = inner;
}

template <class T>
void branches_backward(const Shape& shape, const Input<T>& x, const Convolutions& weights, const T* y,
                       const Upstream& upstream, const Convolutions* gradients, const Planes<T>& dx, double* sums) {
  const Plan p(shape);
  const int64_t out_plane = p.ho * p.wo, in_plane = p.h * p.w, nb = weights.count;
  const bool shared = x.branch_stride == 0;
  const int64_t *g = upstream.address, *stride = upstream.stride, *channel = upstream.channel;
  const double *a = upstream.a, *b_ = upstream.b, *d_ = upstream.d, *samples = upstream.samples;
  std::vector<Taps> taps;
  int64_t size = 0;
  std::vector<int64_t> where;
  for (int64_t b = 0; b < nb; ++b) {
    taps.emplace_back(p, weights.size[b], weights.dilation[b]);
    where.push_back(size);
    size += p.c * taps[b].n + p.c * p.c;
  }
  // By thread, so that sums do not depend on who finishes first.
  std::vector<std::vector<T>> parts(omp_get_max_threads());
#pragma omp parallel
  {
    Buffer<T> flat_buffer, d_buffer, dy_buffer, dd_buffer, du_buffer;
    T* flat = flat_buffer.planes(p.c * p.phases * p.plane);
    T* d = d_buffer.planes(p.c * p.plane);
    T* dy = dy_buffer.planes(p.c * p.plane);
    T* dd = dd_buffer.planes(p.c * p.plane);
    const int64_t du_size = p.c * p.phases * p.plane;
    T* du = du_buffer.planes(du_size);
    std::vector<const T*> in;
    std::vector<T> chosen, own;
    if (gradients) own.assign(size, T(0));
#pragma omp for schedule(static)
    for (int64_t n = 0; n < p.n; ++n) {
      for (int64_t b = 0; b < nb; ++b) {
        const T* xb = x.data + n * x.stride + b * x.branch_stride;
        if (b == 0 || !shared) {
          input_of_branch(p, x, n, b, flat);
          std::fill(du, du + du_size, T(0));
        }
        const T* kb = reinterpret_cast<const T*>(weights.depthwise[b]);
        const T* mb = reinterpret_cast<const T*>(weights.pointwise[b]);
        const double sample = samples ? samples[b * p.n + n] : 1.0;
        for (int64_t c = 0; c < p.c; ++c) {
          const int64_t q = b * p.c + c;
          upstream_plane(p, reinterpret_cast<const T*>(g[b]) + n * stride[b] + channel[q] * out_plane,
                         y + ((n * nb + b) * p.c + c) * out_plane, T(a[q] * sample), T(b_[q]), T(d_[q]),
                         dy + c * p.plane);
        }
        product(mb, 1, p.c, p.c, p.c, dy + p.origin(), p.plane, dd + p.origin(), p.plane, p.length);
        if (gradients) {
          depthwise(p, taps[b], flat, kb, d, in);
          outer(dy + p.origin(), p.plane, p.c, d + p.origin(), p.plane, p.c, own.data() + where[b] + p.c * taps[b].n,
                p.length);
        }
        for (int64_t c = 0; c < p.c; ++c) {
          const T* ddc = dd + c * p.plane;
          if (gradients) {
            aim(taps[b], p, flat + c * p.phases * p.plane, in);
            correlate(in.data(), ddc + p.origin(), taps[b].n, own.data() + where[b] + c * taps[b].n, p.length);
          }
          depthwise_back(p, taps[b], ddc, kb + c * taps[b].n, du + c * p.phases * p.plane, in, chosen);
        }
        if (!shared || b == nb - 1)
          for (int64_t c = 0; c < p.c; ++c) {
            T* to = dx.data + (shared ? n * dx.stride + c * in_plane : ((n * nb + b) * p.c + c) * in_plane);
            fold(p, du + c * p.phases * p.plane, flat + c * p.phases * p.plane, xb + c * in_plane, to, !shared,
                 shared ? nullptr : sums + ((n * nb + b) * p.c + c) * 2);
          }
      }
    }
    if (gradients) parts[omp_get_thread_num()] = std::move(own);
  }
  if (!gradients) return;
  for (int64_t b = 0; b < nb; ++b) {
    T* kernel = reinterpret_cast<T*>(gradients->depthwise[b]);
    T* matrix = reinterpret_cast<T*>(gradients->pointwise[b]);
    const int64_t taps_size = p.c * taps[b].n;
    for (int64_t i = 0; i < taps_size + p.c * p.c; ++i) {
      T sum = 0;
      for (const auto& part : parts)
        if (!part.empty()) sum += part[where[b] + i];
      (i < taps_size ? kernel[i] : matrix[i - taps_size]) = sum;
    }
  }
}

}  // namespace edgewise
