// Writes the artifacts that tests outside of C++ load. Usage: make_test_artifacts FOLDER
#include <cstdio>
#include <fstream>

#include "runtime/testing/test_artifact.h"

namespace {

bool Write(const std::string& path, const mgec::TestArtifactOptions& options) {
  std::ofstream file(path, std::ios::binary);
  file << mgec::MakeTestArtifact(options);
  return static_cast<bool>(file.flush());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_test_artifacts FOLDER\n");
    return 2;
  }
  const std::string folder = argv[1];
  mgec::TestArtifactOptions add;  // (a, b) -> (sum, scaled), [2, 3]
  mgec::TestArtifactOptions batches = add;
  batches.shapes = {{2, 3}, {4, 3}};
  mgec::TestArtifactOptions classifier;  // data [N, 3, 224, 224] -> scores [N, 1000], its first elements
  classifier.inputs = {"data"};
  classifier.outputs = {"scores"};
  classifier.shapes = {{1, 3, 224, 224}, {2, 3, 224, 224}};
  classifier.classes = 1000;
  mgec::TestArtifactOptions slow;  // as add, but hundreds of milliseconds of it
  slow.shapes = {{512, 1024}};
  slow.repeats = 400;
  const bool written = Write(folder + "/add.mgec", add) && Write(folder + "/slow.mgec", slow) && Write(folder + "/batches.mgec", batches) &&
                       Write(folder + "/classifier.mgec", classifier);
  if (!written) std::fprintf(stderr, "make_test_artifacts: cannot write to %s\n", argv[1]);
  return written ? 0 : 1;
}
