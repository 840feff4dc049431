#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

// One convolution behind a padding with the given attributes.
std::string Text(const std::string& pad, const std::string& padded_shape, const std::string& out,
                 const std::string& conv) {
  return "graph {\n%x = input() \"x\" : f32[1,2,3,3]\n"
         "%w = constant() {data=0x0000803f000000400000003f000080bf} : f32[2,2,1,1]\n"
         "%p = pad(%x) {" + pad + "} : f32[" + padded_shape + "]\n"
         "%y = conv2d(%p, %w) {" + conv + "} \"c\" : f32[" + out + "]\nreturn %y \"y\"\n}\n";
}

TEST(FoldPaddingTest, GoesIntoTheConvolution) {
  ExpectRewrite(FoldPadding, Text("after=[0,0,2,0], before=[0,0,1,3]", "1,2,6,6", "1,2,8,6", "pad=[1,0]"), R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x0000803f000000400000003f000080bf} : f32[2,2,1,1]
    %y = conv2d(%x, %w) {pad=[2,3,3,0]} "c" : f32[1,2,8,6]
    return %y "y"
  })");
}

TEST(FoldPaddingTest, OtherPaddingStays) {
  for (const char* pad :
       {"after=[0,0,1,1], before=[0,0,1,1], value=1.0", "after=[0,0,1,1], before=[0,0,1,1], mode=\"replicate\""}) {
    ExpectRewrite(FoldPadding, Text(pad, "1,2,5,5", "1,2,5,5", ""), nullptr);
  }
  ExpectRewrite(FoldPadding, Text("after=[1,0,0,0], before=[0,0,0,0]", "2,2,3,3", "2,2,3,3", ""), nullptr);
}

}  // namespace
}  // namespace mgec::passes
