#include "compiler/codegen/llvm/link.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "compiler/codegen/llvm/machine.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/SourceMgr.h"

namespace mgec::codegen {
namespace {

std::string Object(const std::string& ir) {
  auto machine = CreateMachine(*kernel::FindTarget("x86-64-v3"));
  EXPECT_TRUE(machine.ok()) << machine.status();
  llvm::LLVMContext context;
  llvm::SMDiagnostic problem;
  std::unique_ptr<llvm::Module> module = llvm::parseAssemblyString(ir, problem, context);
  EXPECT_TRUE(module) << problem.getMessage().str();
  module->setTargetTriple("x86_64-unknown-linux-gnu");
  module->setDataLayout((*machine)->createDataLayout());
  absl::StatusOr<std::string> object = EmitMachineCode(*module, **machine, Output::kObject);
  EXPECT_TRUE(object.ok()) << object.status();
  return *object;
}

TEST(LinkTest, CallsBetweenObjectsAndConstantsAreResolved) {
  absl::StatusOr<LinkedImage> image = Link({
      Object("define hidden i32 @first() nounwind { %r = call i32 @second() ret i32 %r }\n"
             "declare hidden i32 @second()"),
      Object("@table = private constant [4 x i32] [i32 1, i32 2, i32 3, i32 4]\n"
             "define hidden i32 @second() nounwind { %v = load volatile i32, ptr @table ret i32 %v }"),
  });
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->symbols.count("first"), 1u);
  EXPECT_EQ(image->symbols.count("second"), 1u);
  EXPECT_LT(image->symbols["second"], image->bytes.size());
  EXPECT_FALSE(image->bytes.empty());
}

// The code of a target must not depend on which others have been linked before.
TEST(LinkTest, LinkingKeepsTheCodeGeneratorsOptions) {
  const std::string object = Object("define hidden i32 @f() nounwind { ret i32 1 }");
  llvm::cl::Option* combiner = llvm::cl::getRegisteredOptions().lookup("x86-machine-combiner");
  ASSERT_NE(combiner, nullptr);
  auto enabled = [&] { return static_cast<llvm::cl::opt<bool>*>(combiner)->getValue(); };
  EXPECT_FALSE(enabled());
  ASSERT_TRUE(Link({object}).ok());
  EXPECT_FALSE(enabled());
}

TEST(LinkTest, UndefinedSymbolsAreNamed) {
  absl::StatusOr<LinkedImage> image =
      Link({Object("declare hidden float @expf(float)\n"
                   "define hidden float @f(float %x) nounwind { %r = call float @expf(float %x) ret float %r }")});
  EXPECT_EQ(image.status().code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(absl::StrContains(image.status().message(), "expf")) << image.status();
}

TEST(LinkTest, WritableDataIsRefused) {
  absl::StatusOr<LinkedImage> image =
      Link({Object("@counter = hidden global i32 1\n"
                   "define hidden void @f() nounwind { store i32 2, ptr @counter ret void }")});
  EXPECT_TRUE(absl::StrContains(image.status().message(), "writable data in the image")) << image.status();
}

TEST(LinkTest, AddressesInConstantsAreRefused) {
  absl::StatusOr<LinkedImage> image =
      Link({Object("@table = hidden constant [1 x ptr] [ptr @f]\n"
                   "define hidden ptr @f() nounwind { %v = load volatile ptr, ptr @table ret ptr %v }")});
  EXPECT_EQ(image.status().code(), absl::StatusCode::kInternal) << image.status();
}

TEST(LinkTest, WorksAgainAfterAnError) {
  EXPECT_FALSE(Link({"not an object"}).ok());
  EXPECT_TRUE(Link({Object("define hidden void @f() nounwind { ret void }")}).ok());
}

}  // namespace
}  // namespace mgec::codegen
