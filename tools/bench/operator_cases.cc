#include "tools/bench/operator_cases.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "compiler/ops/op.h"

namespace mgec::bench {
namespace {

using Ints = std::vector<int64_t>;
using std::string;

const char kImage[] = "f32[1,64,128,128]";  // 4 MiB

// Cases of operators that are no Elemwise modes.
std::vector<OperatorCase> WrittenCases() {
  const Operand image{kImage}, matrix{"f32[1024,1024]"}, channels_last{"f32[1,256,256,16]"}, map{"f32[1,16,256,256]"};
  const Operand state{"i32[4]", 0, 1000};
  const Operand per_channel{"const f32[1,64,1,1]", 0.5, 1};
  const Operand rois{"f32[256,5]", 0, 0.9}, index{"i32[65536]", 0, 65535};
  return {
      // Contractions.
      {"conv2d", "1x1", {{"f32[1,256,56,56]"}, {"const f32[256,256,1,1]"}}, {}},
      {"conv2d", "3x3", {{"f32[1,128,56,56]"}, {"const f32[128,128,3,3]"}}, {{"pad", Ints{1, 1}}}},
      {"conv2d", "3x3 stride 2", {{"f32[1,64,112,112]"}, {"const f32[128,64,3,3]"}},
       {{"pad", Ints{1, 1}}, {"stride", Ints{2, 2}}}},
      {"conv2d", "5x5 dilated", {{"f32[1,64,64,64]"}, {"const f32[64,64,5,5]"}},
       {{"pad", Ints{4, 4}}, {"dilation", Ints{2, 2}}}},
      {"conv2d", "7x7 stride 2, 3 channels", {{"f32[1,3,448,448]"}, {"const f32[64,3,7,7]"}},
       {{"pad", Ints{3, 3}}, {"stride", Ints{2, 2}}}},
      {"conv2d", "3x3, 32 groups", {{"f32[1,256,56,56]"}, {"const f32[32,8,8,3,3]"}},
       {{"pad", Ints{1, 1}}, {"group", int64_t{32}}}},
      {"conv2d", "3x3 depthwise", {{"f32[1,256,56,56]"}, {"const f32[256,1,1,3,3]"}},
       {{"pad", Ints{1, 1}}, {"group", int64_t{256}}}},
      {"conv2d", "3x3, weights computed", {{"f32[1,64,64,64]"}, {"f32[64,64,3,3]"}}, {{"pad", Ints{1, 1}}}},
      {"int_conv2d", "1x1", {{"qs8(0.1)[1,256,56,56]"}, {"const qs8(0.1)[256,256,1,1]"}}, {{"dtype", string("qs32(0.01)")}}},
      {"int_conv2d", "3x3", {{"qs8(0.1)[1,128,56,56]"}, {"const qs8(0.1)[128,128,3,3]"}},
       {{"pad", Ints{1, 1}}, {"dtype", string("qs32(0.01)")}}},
      {"matmul", "", {{"f32[512,1024]"}, {"const f32[1024,1024]"}}, {}},
      {"matmul", "transposed", {{"f32[1024,512]"}, {"const f32[1024,1024]"}},
       {{"transpose_a", int64_t{1}}, {"transpose_b", int64_t{1}}}},
      {"matmul", "both computed", {{"f32[512,1024]"}, {"f32[1024,512]"}}, {}},
      {"matmul", "batch of 16", {{"f32[16,256,64]"}, {"f32[16,256,64]"}}, {{"transpose_b", int64_t{1}}}},
      {"int_matmul", "", {{"qs8(0.1)[512,1024]"}, {"const qs8(0.1)[1024,1024]"}}, {{"dtype", string("qs32(0.01)")}}},
      {"local_conv2d", "", {{"f32[1,32,32,32]"}, {"const f32[1,32,32,32,3,3,8]"}}, {{"pad", Ints{1, 1}}}},
      {"region_conv2d", "", {{"f32[1,32,64,64]"}, {"const f32[1,32,32,3,3]"}, {"i32[1,64,64]", 0, 3}, {"i32[1,64,64]", 0, 3}},
       {{"pad", Ints{1, 1}}}},
      {"correlation", "", {{"f32[1,64,64,64]"}, {"f32[1,64,64,64]"}}, {{"max_displacement", int64_t{4}}, {"pad", int64_t{4}}}},
      {"matrix_inverse", "", {{"f32[256,32,32]"}}, {}},
      {"svd", "", {{"f32[256,32,32]"}}, {}},
      {"random_state", "", {}, {}},
      {"random_uniform", "", {state}, {{"shape", Ints{1048576}}}},
      {"random_normal", "", {state}, {{"shape", Ints{1048576}}}},
      {"random_gamma", "", {state, {"f32[262144]", 0.5, 4}}, {}},
      {"random_poisson", "", {state, {"f32[262144]", 0.5, 40}}, {}},
      // Windows, images.
      {"pool2d", "max 3x3", {image}, {{"mode", string("max")}, {"window", Ints{3, 3}}, {"stride", Ints{2, 2}}, {"pad", Ints{1, 1}}}},
      {"pool2d", "average 2x2", {image}, {{"mode", string("average")}}},
      {"pool2d", "global", {image}, {{"mode", string("average")}, {"window", Ints{128, 128}}, {"stride", Ints{1, 1}}}},
      {"images_to_windows", "", {map}, {{"window", Ints{3, 3}}, {"pad", Ints{1, 1}}}},
      {"windows_to_image", "", {{"f32[1,16,128,128,3,3]"}}, {{"size", Ints{128, 128}}, {"window", Ints{3, 3}}, {"pad", Ints{1, 1}}}},
      {"deformable_windows", "", {{"f32[1,32,64,64]"}, {"f32[1,18,64,64]"}, {"f32[1,9,64,64]"}},
       {{"window", Ints{3, 3}}, {"pad", Ints{1, 1}}}},
      {"resize", "linear", {map}, {{"mode", string("linear")}, {"size", Ints{512, 512}}}},
      {"resize", "nearest", {map}, {{"mode", string("nearest")}, {"size", Ints{512, 512}}}},
      {"resize", "cubic", {map}, {{"mode", string("cubic")}, {"size", Ints{512, 512}}}},
      {"resize_table", "", {channels_last, {"const i32[512,2]", 0, 255}, {"const f32[512,2]", 0, 1}, {"const i32[512,2]", 0, 255}, {"const f32[512,2]", 0, 1}}, {}},
      {"resize3d", "", {{"f32[1,16,32,64,64]"}}, {{"size", Ints{64, 64, 64}}}},
      {"perspective_grid", "", {{"f32[8,3,3]", 0.5, 1}}, {{"size", Ints{256, 256}}}},
      {"affine_grid", "", {{"f32[8,2,3]", 0.5, 1}}, {{"size", Ints{256, 256}}}},
      {"sample_image", "", {map, {"f32[1,256,256,2]", 0, 255}}, {}},
      {"sample_image", "channels last", {channels_last, {"f32[1,256,256,2]", 0, 255}}, {{"channels_last", int64_t{1}}}},
      {"cvt_color", "rgb2gray", {{"u8[1,1080,1920,3]", 0, 255}}, {{"mode", string("rgb2gray")}}},
      {"cvt_color", "yuv2rgb_nv12", {{"u8[1,1620,1920,1]", 0, 255}}, {{"mode", string("yuv2rgb_nv12")}}},
      {"roi_align", "", {{"f32[1,64,64,64]"}, rois}, {{"size", Ints{7, 7}}, {"scale", 60.0}, {"mode", string("average")}}},
      {"roi_pooling", "", {{"f32[1,64,64,64]"}, rois}, {{"size", Ints{7, 7}}, {"scale", 60.0}, {"mode", string("max")}}},
      {"roi_pooling_index", "", {{"f32[1,64,64,64]"}, rois, {"f32[256,64,7,7]"}},
       {{"size", Ints{7, 7}}, {"scale", 60.0}, {"mode", string("max")}}},
      {"roi_align_index", "", {{"f32[1,64,64,64]"}, rois}, {{"size", Ints{7, 7}}, {"scale", 60.0}, {"mode", string("max")}}},
      {"deformable_roi_pooling", "", {{"f32[1,64,64,64]"}, rois}, {{"size", Ints{7, 7}}, {"scale", 60.0}, {"samples", int64_t{2}}}},
      // Normalizations, reductions, scans, sorting.
      {"batch_norm", "", {image, per_channel, per_channel, per_channel, per_channel}, {}},
      {"layer_norm", "", {{"f32[1024,1024]"}, {"const f32[1024]"}, {"const f32[1024]"}}, {{"axes", Ints{1}}}},
      {"group_norm", "", {image, {"const f32[64]"}, {"const f32[64]"}}, {{"group", int64_t{8}}}},
      {"softmax", "last axis", {matrix}, {{"axis", int64_t{1}}}},
      {"softmax", "channels", {{"f32[1,64,128,128]"}}, {{"axis", int64_t{1}}}},
      {"lrn", "", {image}, {}},
      {"reduce", "sum of rows", {matrix}, {{"mode", string("sum")}, {"axes", Ints{1}}}},
      {"reduce", "sum of columns", {matrix}, {{"mode", string("sum")}, {"axes", Ints{0}}}},
      {"reduce", "max of all", {image}, {{"mode", string("max")}, {"axes", Ints{0, 1, 2, 3}}}},
      {"argmax", "rows", {matrix}, {{"axis", int64_t{1}}}},
      {"argmax", "channels", {image}, {{"axis", int64_t{1}}}},
      {"argmin", "rows", {matrix}, {{"axis", int64_t{1}}}},
      {"cumsum", "rows", {matrix}, {{"axis", int64_t{1}}}},
      {"cumsum", "columns", {matrix}, {{"axis", int64_t{0}}}},
      {"argsort", "rows of 1024", {matrix}, {{"count", int64_t{1024}}}},
      {"argsort", "one row", {{"f32[1,262144]"}}, {{"count", int64_t{262144}}}},
      {"argsort", "first 16", {matrix}, {{"count", int64_t{16}}}},
      {"nms_keep", "", {{"f32[16,4096,4]", 0, 100}}, {{"iou_threshold", 0.5}, {"max_output", int64_t{100}}}},
      // Sizes that depend on values.
      {"nonzero", "", {{"bool[1048576]", 0, 1}}, {}},
      {"mask_tail", "", {matrix, {"i32[1]", 500, 500}}, {{"axis", int64_t{1}}, {"fill", string("zero")}}},
      {"repack", "", {matrix, {"i32[1]", 500, 500}, {"i32[1]", 500, 500}},
       {{"shape", Ints{1048576}}, {"from", Ints{1024, -1}}, {"to", Ints{-1}}}},
      // Moving elements.
      {"concat", "rows", {matrix, matrix}, {{"axis", int64_t{0}}}},
      {"concat", "columns", {matrix, matrix}, {{"axis", int64_t{1}}}},
      {"slice", "", {{"f32[1024,2048]"}}, {{"begin", Ints{0, 512}}, {"end", Ints{1024, 1536}}, {"step", Ints{1, 1}}}},
      {"slice", "backward", {matrix}, {{"begin", Ints{0, 1023}}, {"end", Ints{1024, -1}}, {"step", Ints{1, -1}}}},
      {"reshape", "", {matrix}, {{"shape", Ints{1048576}}}},
      {"transpose", "matrix", {matrix}, {{"perm", Ints{1, 0}}}},
      {"transpose", "NCHW to NHWC", {image}, {{"perm", Ints{0, 2, 3, 1}}}},
      {"transpose", "of bytes", {{"u8[1,64,256,256]", 0, 255}}, {{"perm", Ints{0, 2, 3, 1}}}},
      {"broadcast", "", {{"f32[1024,1]"}}, {{"shape", Ints{1024, 1024}}}},
      {"pad", "constant", {map}, {{"before", Ints{0, 0, 2, 2}}, {"after", Ints{0, 0, 2, 2}}}},
      {"pad", "reflect", {map}, {{"before", Ints{0, 0, 2, 2}}, {"after", Ints{0, 0, 2, 2}}, {"mode", string("reflect")}}},
      {"shape_of", "", {matrix}, {}},
      {"gather", "rows", {{"f32[65536,16]"}, index}, {{"axis", int64_t{0}}}},
      {"gather", "columns", {{"f32[16,65536]"}, index}, {{"axis", int64_t{1}}}},
      {"gather_nd", "", {{"f32[256,256,16]"}, {"i32[65536]", 0, 255}, {"i32[65536]", 0, 255}}, {{"axes", Ints{0, 1}}}},
      {"scatter_nd", "", {{"f32[65536,16]"}, {"f32[256,16]"}, {"i32[256]", 0, 65535}}, {{"axes", Ints{0}}, {"mode", string("add")}}},
      {"slice_update", "", {matrix, {"f32[512,512]"}}, {{"begin", Ints{0, 0}}, {"step", Ints{1, 1}}, {"mode", string("set")}}},
      {"take_along", "", {matrix, {"i32[1024,1]", 0, 1023}}, {{"axis", int64_t{1}}}},
      {"set_along", "", {matrix, {"i32[1024,1]", 0, 1023}, {"f32[1024,1]"}}, {{"axis", int64_t{1}}}},
      {"diag", "", {{"f32[1024]"}}, {}},
      // Conversions.
      {"cast", "to int8", {image}, {{"dtype", string("qs8(0.01)")}}},
      {"cast", "from int8", {{"qs8(0.01)[1,64,128,128]"}}, {{"dtype", string("f32")}}},
      {"cast", "to float16", {image}, {{"dtype", string("f16")}}},
      {"cast", "from uint8", {{"u8[1,3,1080,1920]", 0, 255}}, {{"dtype", string("f32")}}},
      {"retype", "", {{"i8[1,64,256,256]", -100, 100}}, {{"dtype", string("qs8(0.1)")}}},
      {"powc", "square root", {{kImage, 0.1, 2}}, {{"exp", 0.5}}},
      {"powc", "general", {{kImage, 0.1, 2}}, {{"exp", 1.7}}},
      {"where", "", {{"bool[1,64,128,128]", 0, 1}, image, image}, {}},
      {"round_shr", "", {{"i32[1,64,128,128]", -100000, 100000}, {"i32[1]", 3, 3}}, {}},
  };
}

// Why operators take longer than three passes over their memory. By operator or, where cases differ, by case.
string ReasonOf(const OperatorCase& c) {
  static const auto* reasons = new std::map<string, string>{
      {"conv2d 3x3, 32 groups",
       "the 8 results of a group fill half a vector; input and output are no blocks of channels here: two copies"},
      {"conv2d 3x3 depthwise", "input and output are no blocks of channels here, as they are between layers: two copies"},
      {"conv2d 3x3, weights computed", "weights are packed first; input and output are no blocks of channels: two copies"},
      {"local_conv2d", "weights are used once, and each sum of 8 lanes is one chain of additions"},
      {"region_conv2d", "a comparison and a selection for each multiply-add"},
      {"correlation", "two loads for each multiply-add, of elements that lie an image apart"},
      {"pool2d max 3x3", "input and output are no blocks of channels here, as they are between layers: two copies"},
      {"pool2d average 2x2", "every second element of plain rows: shuffles"},
      {"windows_to_image", "elements of overlapping windows, which lie a window apart"},
      {"perspective_grid", "a division for each element"},
      {"cvt_color rgb2gray", "colours lie side by side: every third element, and integers that become floats and back"},
      {"group_norm", "three passes: the mean, the variance, the results"},
      {"softmax last axis", "three passes over each row, with an exponential for each element"},
      {"transpose", "elements change places by shuffles"},
      {"softmax channels", "three passes over the channels of each pixel: the largest, the sum, the quotients"},
      {"matrix_inverse", "32 multiply-adds for each element"},
      {"svd", "hundreds of multiply-adds for each element, and as many passes over it"},
      {"deformable_windows", "four loads at computed places for each element"},
      {"resize", "rows first, columns then: a second pass over what was written"},
      {"resize_table", "four loads at places from a table for each element"},
      {"resize3d", "one axis after the other: two more passes"},
      {"sample_image", "four loads at computed places for each element"},
      {"cvt_color yuv2rgb_nv12", "chroma is loaded for each element; three results from one"},
      {"roi_align", "sixteen loads at computed places for each element; channels are brought into blocks and back"},
      {"roi_pooling", "bins begin and end anywhere: loops of a few elements each; channels are brought into blocks and back"},
      {"roi_pooling_index", "bins begin and end anywhere: loops of a few elements each; channels are brought into blocks and back"},
      {"roi_align_index", "sixteen loads at computed places for each element; channels are brought into blocks and back"},
      {"deformable_roi_pooling", "sixteen loads at computed places for each element; channels are brought into blocks and back"},
      {"lrn", "two square roots and a division for each element"},
      {"reduce sum of columns", "columns are read in strips of one vector"},
      {"argmax", "a comparison and a selection for each element, of values and of indices"},
      {"argmin", "a comparison and a selection for each element, of values and of indices"},
      {"cumsum rows", "every addition waits for the one before"},
      {"argsort", "five passes, four of which write at computed places"},
      {"nms_keep", "every box that is kept is compared with all after it"},
      {"nonzero", "every index waits for how many came before"},
      {"repack", "divisions by sizes that are known at run time only"},
      {"gather columns", "single elements at computed places"},
      {"random_uniform", "ten rounds of a generator for each element"},
      {"random_normal", "ten rounds of a generator, logarithm and cosine for each element"},
      {"random_gamma", "48 attempts for each element, of which the first that fits counts"},
      {"random_poisson", "48 attempts for each element, of which the first that fits counts"},
      {"powc general", "a logarithm and an exponential of more than float32's accuracy"},
      {"pow", "a logarithm and an exponential of more than float32's accuracy"},
  };
  static const auto* functions = new std::set<string>{
      "acos", "acosh", "asin", "asinh", "atan2", "atanh", "erfc", "erfcinv", "erfinv", "log_sum_exp", "logsigmoid",
      "softplus", "mod", "cos", "sin", "log", "erf", "gelu", "tanh", "cosh", "sinh", "log1p", "expm1", "tan", "acosh_grad", "gelu_grad"};
  for (const string& key : {c.name(), c.op}) {
    const auto it = reasons->find(key);
    if (it != reasons->end()) return it->second;
  }
  return functions->count(c.op) != 0 ? "arithmetic: a function of many terms, or of several others" : "";
}

std::vector<OperatorCase> AllCases() {
  std::vector<OperatorCase> cases = WrittenCases();
  auto written = [&](const string& op) {
    return std::any_of(cases.begin(), cases.end(), [&](const OperatorCase& c) { return c.op == op; });
  };
  for (const string& op : ops::AllOps()) {
    const ops::OpDef* def = ops::FindOp(op);
    if (!def->pointwise || written(op)) continue;
    // Of the types that the mode takes, the one that is used most.
    for (const char* type : {"f32", "i32", "bool"}) {
      OperatorCase c{op, "", {}, {}, ""};
      const bool shift = op == "shl" || op == "shr";
      const bool floating = absl::string_view(type) == "f32";
      for (int i = 0; i < def->max_inputs; ++i) {
        Operand operand{absl::StrCat(type, "[1,64,128,128]")};
        operand.low = floating ? 0.1 : shift && i == 1 ? 0 : 1;
        operand.high = floating ? 0.9 : shift && i == 1 ? 7 : absl::string_view(type) == "bool" ? 1 : 1000;
        c.operands.push_back(operand);
      }
      if (!BuildGraph(c).ok()) continue;
      cases.push_back(std::move(c));
      break;
    }
  }
  for (OperatorCase& c : cases) c.reason = ReasonOf(c);
  return cases;
}

absl::StatusOr<graph::TensorType> ParseType(absl::string_view text) {
  const size_t bracket = text.find('[');
  graph::TensorType type;
  absl::StatusOr<graph::DType> dtype = graph::ParseDType(text.substr(0, bracket));
  if (!dtype.ok()) return dtype.status();
  type.dtype = *dtype;
  int64_t extent = 0;
  for (char c : text.substr(bracket + 1)) {
    if (c >= '0' && c <= '9') {
      extent = extent * 10 + (c - '0');
    } else {
      type.shape.push_back(extent);
      extent = 0;
    }
  }
  return type;
}

bool IsConstant(const Operand& operand) { return operand.type.rfind("const ", 0) == 0; }

absl::StatusOr<graph::TensorType> TypeOf(const Operand& operand) {
  return ParseType(absl::string_view(operand.type).substr(IsConstant(operand) ? 6 : 0));
}

// A small generator whose quality does not matter.
class Random {
 public:
  double Next(double low, double high) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * static_cast<double>(state_ >> 40) / static_cast<double>(1 << 24);
  }

 private:
  uint64_t state_ = 1;
};

template <typename T>
string Fill(int64_t count, double low, double high) {
  Random random;
  string data(count * sizeof(T), '\0');
  T* out = reinterpret_cast<T*>(&data[0]);
  const double top = std::is_floating_point<T>::value ? high : high + 1 - 1e-6;
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(random.Next(low, top));
  return data;
}

}  // namespace

const std::vector<OperatorCase>& OperatorCases() {
  static const auto* cases = new std::vector<OperatorCase>(AllCases());
  return *cases;
}

absl::StatusOr<string> RandomData(const Operand& operand) {
  const absl::StatusOr<graph::TensorType> type = TypeOf(operand);
  if (!type.ok()) return type.status();
  const int64_t count = graph::NumElements(type->shape);
  switch (type->dtype.kind) {
    case graph::DTypeKind::kFloat32: return Fill<float>(count, operand.low, operand.high);
    case graph::DTypeKind::kInt32: return Fill<int32_t>(count, operand.low, operand.high);
    case graph::DTypeKind::kInt8: return Fill<int8_t>(count, operand.low, operand.high);
    case graph::DTypeKind::kUint8:
    case graph::DTypeKind::kBool: return Fill<uint8_t>(count, operand.low, operand.high);
    case graph::DTypeKind::kQuantizedS8: return Fill<int8_t>(count, -127, 127);
    default: return absl::InvalidArgumentError(absl::StrCat("no random data for ", operand.type));
  }
}

absl::StatusOr<graph::Graph> BuildGraph(const OperatorCase& c) {
  graph::Graph g;
  std::vector<graph::Value*> operands;
  for (const Operand& operand : c.operands) {
    const absl::StatusOr<graph::TensorType> type = TypeOf(operand);
    if (!type.ok()) return type.status();
    if (IsConstant(operand)) {
      absl::StatusOr<string> data = RandomData(operand);
      if (!data.ok()) return data.status();
      operands.push_back(g.AddConstant(*type, *std::move(data)));
    } else {
      operands.push_back(g.AddInput(absl::StrCat("x", g.inputs().size()), *type));
    }
  }
  const absl::StatusOr<graph::Node*> node = g.AddNode(c.op, operands, c.attributes, c.name());
  if (!node.ok()) return node.status();
  for (size_t i = 0; i < (*node)->outputs.size(); ++i) g.AddOutput((*node)->output(static_cast<int>(i)), absl::StrCat("y", i));
  return g;
}

}  // namespace mgec::bench
