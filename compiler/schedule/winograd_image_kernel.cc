#include "compiler/schedule/winograd_image_kernel.h"

#include <algorithm>
#include <vector>

#include "compiler/kernel/join_lanes.h"
#include "compiler/schedule/register_tile.h"
#include "compiler/schedule/winograd.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Float;
using kernel::Int;
using kernel::Op;
using kernel::Scalar;

constexpr int64_t kStackBytes = 64 * 1024;  // that a kernel may have
constexpr int kPair = 2;                    // blocks of output channels that share what is loaded of the tiles
constexpr int kMostTogether = 4;            // tiles that are multiplied together

// Columns of the image that so many tiles reach over.
template <typename T>
T ColumnsOf(const WinogradImage& w, const T& tiles) {
  return tiles * (w.conv.stride[1] * w.m) + (w.r - 1) * w.conv.stride[1];
}

// Room for one of the rows: vectors begin up to one before the first column, and end up to one behind the last.
int64_t RowPitch(const WinogradImage& w) {
  return w.lanes + (ColumnsOf<int64_t>(w, w.strip) + 2 * w.lanes - 2) / w.lanes * w.lanes;
}

int64_t TransformedSize(const WinogradImage& w) { return w.n() * w.n() * w.channels() * w.strip; }
int64_t HalfwaySize(const WinogradImage& w) { return int64_t{w.strip} * w.m * w.n() * kPair * kBlock; }
int64_t SumsSize(const WinogradImage& w, int tiles) { return int64_t{tiles} * w.n() * kPair * kBlock; }

int64_t StackBytes(const WinogradImage& w) {
  return 4 * (w.n() * RowPitch(w) + TransformedSize(w) + HalfwaySize(w) + SumsSize(w, kMostTogether));
}

// v holds runs of `run` elements, in vectors that follow each other in memory; result r has every v.size()-th run from number r
// on.
std::vector<Expr> EveryNth(Block& b, const std::vector<Expr>& v, int run) {
  if (v.size() == 1) return v;
  const int lanes = v[0]->type.lanes, count = static_cast<int>(v.size());
  if (count % 2 != 0) {
    std::vector<Expr> result;
    for (int r = 0; r < count; ++r) {
      Expr sum = v[0];  // what has come from the vectors so far
      for (int last = 1; last < count; ++last) {
        std::vector<int> order;
        for (int i = 0; i < lanes; ++i) {
          const int from = (i / run * count + r) * run + i % run, vector = from / lanes;
          const bool new_one = vector == last, first_one = last == 1 && vector == 0;
          order.push_back(new_one ? lanes + from % lanes : first_one ? from : i);
        }
        sum = b.Let("s", Shuffle(ConcatLanes(sum, v[last]), order));
      }
      result.push_back(sum);
    }
    return result;
  }
  std::vector<std::vector<Expr>> halves;  // what is at even places, and at odd ones
  for (int odd = 0; odd < 2; ++odd) {
    std::vector<int> order;
    for (int i = 0; i < lanes; ++i) order.push_back((i / run * 2 + odd) * run + i % run);
    std::vector<Expr> half;
    for (size_t i = 0; i < v.size(); i += 2) half.push_back(b.Let("s", Shuffle(ConcatLanes(v[i], v[i + 1]), order)));
    halves.push_back(EveryNth(b, half, run));
  }
  std::vector<Expr> result;
  for (size_t i = 0; i < halves[0].size(); ++i) {
    result.push_back(halves[0][i]);
    result.push_back(halves[1][i]);
  }
  return result;
}

class Emitter {
 public:
  Emitter(const WinogradImage& w, const ContractionSpec& epilogue, const kernel::Target& target)
      : w_(w), p_(w.conv), spec_(epilogue), target_(target), n_(w.n()), m_(w.m),
        step_(static_cast<int>(w.conv.stride[1]) * w.m) {
    const int64_t out_blocks = (p_.out_channels + kBlock - 1) / kBlock;
    using kernel::ArgumentBuffer;
    in_ = ArgumentBuffer("in", w_.in, w_.images * p_.in_channels * w_.height * w_.width, 0, SizeOf(w_.in));
    weights_ = ArgumentBuffer("weights", Scalar::kFloat32, out_blocks * kBlock * w_.channels() * n_ * n_, 1, 64);
    out_ = ArgumentBuffer("out", spec_.out.stored, out_blocks * w_.images * p_.out_h * p_.out_w * kBlock, 2,
                          kBlock * spec_.out.bytes());
    rows_ = kernel::StackBuffer("rows", Scalar::kFloat32, n_ * RowPitch(w_));
    transformed_ = kernel::StackBuffer("transformed", Scalar::kFloat32, TransformedSize(w_));
    halfway_ = kernel::StackBuffer("halfway", Scalar::kFloat32, HalfwaySize(w_));
  }

  kernel::Kernel Build() {
    kernel::Kernel k;
    k.name = "winograd_image";
    k.task = kernel::MakeVar("task");
    k.tasks = w_.images * w_.tiles_h();
    k.arguments = {in_, weights_, out_};
    k.arguments.insert(k.arguments.end(), spec_.extra.begin(), spec_.extra.end());
    Block b;
    const Expr task = Use(k.task);
    image_ = w_.images == 1 ? Int(0) : b.Let("image", task / Int(w_.tiles_h()));
    tile_row_ = w_.images == 1 ? task : b.Let("tile_row", Binary(Op::kMod, task, Int(w_.tiles_h())));
    b.For("first", Int(0), Int(w_.tiles_w()), w_.strip, [&](Block& b, Expr first) {
      first_tile_ = first;
      tiles_ = b.Let("tiles", Min(Int(w_.strip), Int(w_.tiles_w()) - first));
      vectors_ = b.Let("vectors", (tiles_ + (w_.vector_tiles() - 1)) / Int(w_.vector_tiles()));
      b.For("c", 0, p_.in_channels, [&](Block& b, Expr c) {
        b.For("phase", 0, p_.stride[0], [&](Block& b, Expr phase) {
          TransformRows(b, c, phase);
          TransformColumns(b, b.Let("plane", c * p_.stride[0] + phase));
        });
      });
      const int64_t blocks = (p_.out_channels + kBlock - 1) / kBlock;
      if (blocks >= kPair) {
        b.For("pair", 0, blocks / kPair, [&](Block& b, Expr pair) { Outputs(b, b.Let("block", pair * kPair), kPair); });
      }
      if (blocks % kPair > 0) Outputs(b, Int(blocks - 1), 1);
    });
    k.body = b.Take();
    return k;
  }

 private:
  // Of one channel and every stride-th row from `phase` on: the transform along y, of the strip's columns.
  void TransformRows(Block& b, const Expr& c, const Expr& phase) {
    const int64_t pitch = RowPitch(w_), stride = p_.stride[0];
    const int lanes = w_.lanes;
    const Expr columns = b.Let("columns", ColumnsOf<Expr>(w_, vectors_ * w_.vector_tiles()));
    const Expr column = b.Let("column", first_tile_ * step_ - Int(p_.pad[1]));  // of the image, for the strip's first
    const Expr begin = b.Let("begin", Max(Int(0) - column, Int(0))), end = b.Let("end", Min(Int(w_.width) - column, columns));
    const Expr zero = Float(0, lanes);
    auto at = [&](int y, const Expr& i) { return i + (y * pitch + lanes); };
    auto outside = [&](Block& b, const Expr& from, const Expr& to) {
      b.For("i", from, to, lanes, [&](Block& b, Expr i) {
        for (int y = 0; y < n_; ++y) b.Store(rows_, at(y, i), zero);
      });
    };
    if (p_.pad[1] > 0) outside(b, Int(0), begin);  // up to a vector more: before what is inside
    outside(b, end, columns);
    const Expr row = b.Let("row", tile_row_ * (stride * m_) + phase - Int(p_.pad[0]));  // of the image, for the tile's first
    const Expr plane = b.Let("plane", (image_ * p_.in_channels + c) * (w_.height * w_.width) + column);
    // `borders`: rows may be outside of the image.
    auto over_columns = [&](Block& b, bool borders) {
      auto vector = [&](Block& b, const Expr& i) {
        std::vector<Expr> d;
        for (int y = 0; y < n_; ++y) {
          Expr r = row + y * stride;
          const Expr inside = And(Int(0) <= r, r < Int(w_.height));
          if (borders) r = Min(Max(r, Int(0)), Int(w_.height - 1));
          Expr x = Cast(Scalar::kFloat32, Load(in_, plane + r * w_.width + i, lanes));
          if (borders) x = Select(inside, x, zero);
          d.push_back(b.Let("d", x));
        }
        const std::vector<Expr> t = WinogradInput(b, d);
        for (int y = 0; y < n_; ++y) b.Store(rows_, at(y, i), t[y]);
      };
      b.For("i", begin, end - Int(lanes - 1), lanes, vector);
      vector(b, b.Let("last", end - Int(lanes)));  // overlaps the one before
    };
    b.If(And(Int(0) <= row, row + (n_ - 1) * stride < Int(w_.height)), [&](Block& b) { over_columns(b, false); },
         [&](Block& b) { over_columns(b, true); });
  }

  // The transform along x of the rows, which are number `plane` of (channel, phase along y).
  void TransformColumns(Block& b, const Expr& plane) {
    const int stride = static_cast<int>(p_.stride[1]), lanes = w_.lanes;
    std::vector<int> next;  // the order of lanes a tile later
    for (int i = 0; i < lanes; ++i) next.push_back(i + stride);
    b.For("y", 0, n_, [&](Block& b, Expr y) {
      b.For("vector", Int(0), vectors_, 1, [&](Block& b, Expr vector) {
        const Expr from = b.Let("from", y * RowPitch(w_) + vector * (m_ * lanes) + lanes);
        std::vector<Expr> loaded;
        for (int i = 0; i < m_; ++i) loaded.push_back(b.Let("v", Load(rows_, from + i * lanes, lanes)));
        std::vector<Expr> d = EveryNth(b, loaded, stride);
        // The last columns of a tile are the next one's first.
        for (int x = 0; x < n_ - m_; ++x) {
          const Expr behind = Load(rows_, from + (m_ * lanes + x * stride), stride);
          d.push_back(b.Let("s", Shuffle(ConcatLanes(d[x], kernel::RepeatLanes(behind, lanes)), next)));
        }
        const std::vector<Expr> t = WinogradInput(b, d);
        for (int x = 0; x < n_; ++x) b.Store(transformed_, TransformedAt(Int(x), plane, y) + vector * lanes, t[x]);
      });
    });
  }

  // [x][channel, phase along y][y][tile][phase along x]
  Expr TransformedAt(const Expr& x, const Expr& plane, const Expr& y) const {
    return ((x * (p_.in_channels * p_.stride[0]) + plane) * n_ + y) * (w_.strip * p_.stride[1]);
  }

  // Everything behind the input transform, for `blocks` blocks of output channels from `block` on.
  void Outputs(Block& b, const Expr& block, int blocks) {
    const int width = blocks * kBlock;
    const std::vector<int> lanes = VectorsOf(target_, blocks);
    // Positions of a column times tiles times vectors of channels: as many sums as registers can hold beside what is multiplied.
    const int registers = target_.RegistersOf(lanes[0]) >= 32 ? 24 : 12, vectors = static_cast<int>(lanes.size());
    const int together = registers / vectors >= 24 ? kMostTogether : 2;
    int positions = n_;
    while (n_ % positions != 0 || positions * together * vectors > registers) --positions;
    const Buffer sums = positions == n_ ? nullptr : kernel::StackBuffer("sums", Scalar::kFloat32, SumsSize(w_, together));

    const Expr weights = b.Let("panel", block * (kBlock * w_.channels() * n_ * n_));
    b.For("x", 0, n_, [&](Block& b, Expr x) {
      const Expr column_weights = b.Let("column_weights", weights + x * (w_.channels() * n_ * width));
      // The last of these tiles may lie behind the strip: what comes of them is not stored.
      b.For("tile", Int(0), tiles_, together, [&](Block& b, Expr tile) {
        std::vector<Buffer> acc;  // [y][tile]
        for (int l : lanes) acc.push_back(kernel::RegisterBuffer("acc", Scalar::kFloat32, l, positions * together));
        auto sum_at = [&](int t, int y) { return (t * n_ + y) * width; };
        for (int from = 0; from < n_; from += positions) {
          for (int v = 0; v < vectors; ++v) {
            for (int i = 0; i < positions * together; ++i) b.Set(acc[v], i, Float(0, lanes[v]));
          }
          b.For("plane", 0, p_.in_channels * p_.stride[0], [&](Block& b, Expr plane) {
            const Expr w = b.Let("w", column_weights + plane * (p_.stride[1] * n_ * width) + from * width);
            const Expr a = b.Let("a", TransformedAt(x, plane, Int(from)) + tile * p_.stride[1]);
            for (int64_t phase = 0; phase < p_.stride[1]; ++phase) {
              Multiply(b, acc, lanes, positions, together, w + phase * (n_ * width), a + phase);
            }
          });
          for (int v = 0, lane = 0; positions < n_ && v < vectors; lane += lanes[v++]) {
            for (int i = 0; i < positions * together; ++i) {
              b.Store(sums, Int(sum_at(i % together, from + i / together) + lane), Reg(acc[v], i));
            }
          }
        }
        for (int t = 0; t < together; ++t) {
          for (int v = 0, lane = 0; v < vectors; lane += lanes[v++]) {
            std::vector<Expr> column;
            for (int y = 0; y < n_; ++y) {
              column.push_back(positions == n_ ? Reg(acc[v], y * together + t)
                                               : b.Let("sum", Load(sums, Int(sum_at(t, y) + lane), lanes[v])));
            }
            const std::vector<Expr> half = WinogradOutput(b, m_, column);
            for (int y = 0; y < m_; ++y) b.Store(halfway_, HalfwayAt(tile + t, Int(y), x, width) + lane, half[y]);
          }
        }
      });
    });
    Finish(b, block, blocks);
  }

  void Multiply(Block& b, const std::vector<Buffer>& acc, const std::vector<int>& lanes, int positions, int together,
                const Expr& weights, const Expr& tiles) {
    int width = 0;
    for (int l : lanes) width += l;
    for (int y = 0; y < positions; ++y) {
      std::vector<Expr> w;
      for (size_t v = 0, lane = 0; v < lanes.size(); lane += lanes[v++]) {
        w.push_back(b.Let("b", Load(weights_, weights + (y * width + static_cast<int64_t>(lane)), lanes[v])));
      }
      for (int t = 0; t < together; ++t) {
        Expr a = Load(transformed_, tiles + (y * w_.strip + t) * p_.stride[1]);
        // What meets one vector only is broadcast there, from memory where the machine can.
        if (lanes.size() > 1) a = b.Let("a", Broadcast(a, lanes[0]));
        for (size_t v = 0; v < lanes.size(); ++v) b.Set(acc[v], y * together + t, Fma(a, w[v], Reg(acc[v], y * together + t)));
      }
    }
  }

  // [tile][y of the outputs][x][width]
  Expr HalfwayAt(const Expr& tile, const Expr& y, const Expr& x, int width) const {
    return ((tile * m_ + y) * n_ + x) * width;
  }

  // The strip's outputs, of which those of the last tiles may be outside.
  void Finish(Block& b, const Expr& block, int blocks) {
    const int width = blocks * kBlock;
    const int64_t pixels = w_.images * p_.out_h * p_.out_w;
    const Expr first_row = b.Let("first_row", image_ * p_.out_h + tile_row_ * m_);
    const Expr to = b.Let("to", (block * pixels + first_row * p_.out_w) * kBlock);
    // As many rows of a tile at a time as give enough chains of operations.
    int together = std::clamp(2 * target_.chains * target_.vector_lanes / (m_ * width), 1, m_);
    while (m_ % together != 0) --together;
    auto rows = [&](Block& b, const Expr& tile, const Expr& y, int rows, int cols) {
      std::vector<Expr> results;
      for (int r = 0; r < rows; ++r) {
        std::vector<Expr> line;
        for (int x = 0; x < n_; ++x) line.push_back(b.Let("h", Load(halfway_, HalfwayAt(tile, y + r, Int(x), width), width)));
        const std::vector<Expr> sums = WinogradOutput(b, m_, line);
        for (int x = 0; x < cols; ++x) {
          for (int j = 0; j < blocks; ++j) {
            results.push_back(ToStored(spec_.out, spec_.epilogue(Slice(sums[x], j * kBlock, kBlock), block + j, first_row + y + r,
                                                                 (first_tile_ + tile) * m_ + x)));
          }
        }
      }
      const Expr at = b.Let("at", to + (y * p_.out_w + (first_tile_ + tile) * m_) * kBlock);
      // Vectors of a power of two of lanes, which divide into registers.
      for (size_t first = 0, count; first < results.size(); first += count) {
        for (count = 1; 2 * count <= results.size() - first;) count *= 2;
        const Expr out = b.Let("out", kernel::JoinLanes({results.begin() + first, results.begin() + first + count}));
        for (size_t i = 0; i < count; ++i) {
          const int64_t nth = static_cast<int64_t>(first + i), j = nth % blocks, x = nth / blocks % cols, r = nth / blocks / cols;
          b.Store(out_, at + (j * pixels + r * p_.out_w + x) * kBlock, Slice(out, static_cast<int>(i) * kBlock, kBlock));
        }
      }
    };
    const int rest_h = static_cast<int>(p_.out_h % m_), rest_w = static_cast<int>(p_.out_w % m_);
    auto tile_rows = [&](Block& b, const Expr& tile, int count, int cols) {
      if (count == m_) {
        b.For("y", Int(0), Int(m_), together, [&](Block& b, Expr y) { rows(b, tile, y, together, cols); });
      } else {
        b.For("y", 0, count, [&](Block& b, Expr y) { rows(b, tile, y, 1, cols); });
      }
    };
    auto tiles = [&](Block& b, int count) {
      b.For("tile", Int(0), rest_w == 0 ? tiles_ : Min(tiles_, Int(p_.out_w / m_) - first_tile_), 1,
            [&](Block& b, Expr tile) { tile_rows(b, tile, count, m_); });
      if (rest_w > 0) {
        const Expr tile = b.Let("last", Int(w_.tiles_w() - 1) - first_tile_);
        b.If(tile < tiles_, [&](Block& b) { tile_rows(b, tile, count, rest_w); });
      }
    };
    if (rest_h == 0) return tiles(b, m_);
    b.If(tile_row_ < p_.out_h / m_, [&](Block& b) { tiles(b, m_); }, [&](Block& b) { tiles(b, rest_h); });
  }

  const WinogradImage& w_;
  const ops::ConvParams& p_;
  const ContractionSpec& spec_;
  const kernel::Target& target_;
  const int n_, m_;
  const int step_;  // columns of the image from one tile to the next
  Buffer in_, weights_, out_, rows_, transformed_, halfway_;
  Expr image_, tile_row_, first_tile_, tiles_, vectors_;  // of the strip
};

}  // namespace

bool DivideIntoStrips(WinogradImage& w, int wanted, const kernel::Target& target) {
  const ops::ConvParams& p = w.conv;
  for (int axis = 0; axis < 2; ++axis) {
    if (p.stride[axis] < 1 || p.stride[axis] > 2 || p.kernel[axis] > w.r * p.stride[axis] || p.dilation[axis] != 1) return false;
    // Every window meets the image.
    if (p.pad[axis] >= p.kernel[axis] || p.pad_after[axis] >= p.kernel[axis]) return false;
  }
  // Vectors that the image fills.
  w.lanes = target.vector_lanes;
  while (w.lanes > 4 && (w.width < w.lanes || w.tiles_w() <= w.vector_tiles() / 2)) w.lanes /= 2;
  if (w.width < w.lanes) return false;
  const int least = std::max(kMostTogether, w.vector_tiles());
  for (w.strip = (wanted + least - 1) / least * least; w.strip > 0; w.strip -= least) {
    if (StackBytes(w) <= kStackBytes) return true;
  }
  return false;
}

std::string PackWinogradImage(const WinogradImage& w, const std::function<float(int64_t i)>& weight) {
  const ops::ConvParams& p = w.conv;
  const int n = w.n();
  const int64_t channels = w.channels(), blocks = (p.out_channels + kBlock - 1) / kBlock;
  std::string packed(blocks * kBlock * channels * n * n * sizeof(float), '\0');
  float* out = reinterpret_cast<float*>(packed.data());
  for (int64_t o = 0; o < p.out_channels; ++o) {
    const int64_t first = o / (kPair * kBlock) * (kPair * kBlock);
    const int64_t panel = std::min<int64_t>(kPair * kBlock, blocks * kBlock - first);
    for (int64_t k = 0; k < channels; ++k) {
      const int64_t c = k / w.phases(), phase_h = k / p.stride[1] % p.stride[0], phase_w = k % p.stride[1];
      std::vector<float> taps(w.r * w.r);
      for (int t = 0; t < w.r * w.r; ++t) {
        int64_t kh = t / w.r * p.stride[0] + phase_h, kw = t % w.r * p.stride[1] + phase_w;
        if (kh >= p.kernel[0] || kw >= p.kernel[1]) continue;
        if (p.flip) {
          kh = p.kernel[0] - 1 - kh;
          kw = p.kernel[1] - 1 - kw;
        }
        taps[t] = weight(((o * p.in_channels + c) * p.kernel[0] + kh) * p.kernel[1] + kw);
      }
      const std::vector<double> u = WinogradWeights(w.m, w.r, taps.data());
      for (int y = 0; y < n; ++y) {
        for (int x = 0; x < n; ++x) {
          out[first * channels * n * n + ((x * channels + k) * n + y) * panel + o - first] = static_cast<float>(u[y * n + x]);
        }
      }
    }
  }
  return packed;
}

kernel::Kernel WinogradImageKernel(const WinogradImage& w, const ContractionSpec& epilogue, const kernel::Target& target) {
  return Emitter(w, epilogue, target).Build();
}

}  // namespace mgec::schedule
