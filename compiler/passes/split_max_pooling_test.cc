#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

TEST(SplitMaxPoolingTest, LargeWindowsAreTakenAxisByAxis) {
  ExpectRewrite(SplitMaxPooling, R"(graph {
    %x = input() "x" : f32[1,2,9,12]
    %y = pool2d(%x) {mode="max", pad=[2,1], stride=[1,2], window=[5,4]} "p" : f32[1,2,9,6]
    return %y "y"
  })", R"(graph {
    %x = input() "x" : f32[1,2,9,12]
    %r = pool2d(%x) {mode="max", pad=[0,1], stride=[1,2], window=[1,4]} "p" : f32[1,2,9,6]
    %y = pool2d(%r) {mode="max", pad=[2,0], stride=[1,1], window=[5,1]} "p" : f32[1,2,9,6]
    return %y "y"
  })");
}

TEST(SplitMaxPoolingTest, SmallWindowsAndMeansStay) {
  ExpectRewrite(SplitMaxPooling, R"(graph {
    %x = input() "x" : f32[1,2,9,9]
    %a = pool2d(%x) {mode="max", pad=[1,1], stride=[1,1], window=[3,3]} "a" : f32[1,2,9,9]
    %b = pool2d(%a) {mode="max", pad=[0,0], stride=[1,1], window=[1,9]} "b" : f32[1,2,9,1]
    %c = pool2d(%a) {mode="average", pad=[2,2], stride=[1,1], window=[5,5]} "c" : f32[1,2,9,9]
    return %b "y", %c "z"
  })", nullptr);
}

}  // namespace
}  // namespace mgec::passes
