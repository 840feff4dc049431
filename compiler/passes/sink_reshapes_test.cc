#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

// A product of rows, a new shape, and what comes after: lines of text that end in %y.
std::string Text(const std::string& after, const std::string& shape = "1,3,2") {
  return "graph {\n%a = input() \"a\" : f32[3,4]\n%w = input() \"w\" : f32[4,2]\n%b = input() \"b\" : f32[2]\n"
         "%r = input() \"r\" : f32[" + shape + "]\n%m = matmul(%a, %w) \"m\" : f32[3,2]\n"
         "%s = reshape(%m) {shape=[" + shape + "]} \"s\" : f32[" + shape + "]\n" + after + "return %y \"y\"\n}\n";
}

TEST(SinkReshapesTest, PointwiseNodesComeFirst) {
  ExpectRewrite(SinkReshapes, Text("%t = add(%s, %b) \"t\" : f32[1,3,2]\n%y = add(%r, %t) \"y\" : f32[1,3,2]\n"), R"(graph {
    %a = input() "a" : f32[3,4]
    %w = input() "w" : f32[4,2]
    %b = input() "b" : f32[2]
    %r = input() "r" : f32[1,3,2]
    %m = matmul(%a, %w) "m" : f32[3,2]
    %t = add(%m, %b) "t" : f32[3,2]
    %u = reshape(%r) {shape=[3,2]} "y" : f32[3,2]
    %v = add(%u, %t) "y" : f32[3,2]
    %y = reshape(%v) {shape=[1,3,2]} "y" : f32[1,3,2]
    return %y "y"
  })");
}

// A sum that two nodes read, and operands of one element and one row.
TEST(SinkReshapesTest, OperandsKeepTheirMeaning) {
  ExpectRewrite(SinkReshapes,
                Text("%o = input() \"o\" : f32[1,1,1]\n%p = input() \"p\" : f32[1,1,2]\n%t = add(%p, %s) \"t\" : f32[1,3,2]\n"
                     "%e = exp(%t) \"e\" : f32[1,3,2]\n%f = mul(%e, %t) \"f\" : f32[1,3,2]\n%y = mul(%f, %o) \"y\" : f32[1,3,2]\n"),
                R"(graph {
    %a = input() "a" : f32[3,4]
    %w = input() "w" : f32[4,2]
    %b = input() "b" : f32[2]
    %r = input() "r" : f32[1,3,2]
    %m = matmul(%a, %w) "m" : f32[3,2]
    %o = input() "o" : f32[1,1,1]
    %p = input() "p" : f32[1,1,2]
    %q = reshape(%p) {shape=[2]} "t" : f32[2]
    %t = add(%q, %m) "t" : f32[3,2]
    %e = exp(%t) "e" : f32[3,2]
    %f = mul(%e, %t) "f" : f32[3,2]
    %n = reshape(%o) {shape=[1]} "y" : f32[1]
    %g = mul(%f, %n) "y" : f32[3,2]
    %y = reshape(%g) {shape=[1,3,2]} "y" : f32[1,3,2]
    return %y "y"
  })");
}

TEST(SinkReshapesTest, JoinsReshapes) {
  ExpectRewrite(SinkReshapes, Text("%y = reshape(%s) {shape=[6]} \"y\" : f32[6]\n"), R"(graph {
    %a = input() "a" : f32[3,4]
    %w = input() "w" : f32[4,2]
    %b = input() "b" : f32[2]
    %r = input() "r" : f32[1,3,2]
    %m = matmul(%a, %w) "m" : f32[3,2]
    %y = reshape(%m) {shape=[6]} "y" : f32[6]
    return %y "y"
  })");
}

TEST(SinkReshapesTest, StaysWhereElementsWouldMove) {
  // Rows of another length; operands that go along other dimensions; images.
  ExpectRewrite(SinkReshapes, Text("%y = exp(%s) \"y\" : f32[1,2,3]\n", "1,2,3"), nullptr);
  ExpectRewrite(SinkReshapes, Text("%o = input() \"o\" : f32[3,1]\n%y = add(%s, %o) \"y\" : f32[1,3,2]\n"), nullptr);
  ExpectRewrite(SinkReshapes, Text("%y = add(%s, %r) \"y\" : f32[1,3,1,2]\n", "1,3,1,2"), nullptr);
  // It makes the result larger.
  ExpectRewrite(SinkReshapes, Text("%o = input() \"o\" : f32[5,3,2]\n%y = add(%s, %o) \"y\" : f32[5,3,2]\n"), nullptr);
}

}  // namespace
}  // namespace mgec::passes
