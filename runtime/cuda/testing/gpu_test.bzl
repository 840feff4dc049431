"""Tests of what runs on GPUs: each once on the emulated driver, and once on a real one where there is one."""

def gpu_cc_test(name, srcs, deps, data = []):
    """Makes two tests of the same sources.

    Args:
      name: the test on the emulated driver; NAME_on_gpu, with the tag "gpu", is the one on NVIDIA's.
      srcs: files that include gpu_test.h.
      deps: what they need besides.
      data: files that they read besides the models of compile_models.sh.
    """
    deps = deps + ["//runtime/cuda/testing:gpu_test", "@gtest//:gtest_main"]
    native.cc_test(
        name = name,
        srcs = srcs,
        data = data + [
            "//runtime/cuda/testing:emulated_models",
            "//runtime/cuda/testing:libcuda_emulated.so",
        ],
        env = {"MGEC_CUDA_DRIVER": "runtime/cuda/testing/libcuda_emulated.so"},
        tags = ["release"],  # the emulator's fibers and its memory are not for sanitizers
        deps = deps,
    )
    native.cc_test(
        name = name + "_on_gpu",
        srcs = srcs,
        data = data + [
            "//runtime/cuda/testing:compile_models.sh",
            "//runtime/cuda/testing:make_random_model",
            "//testdata:nets",
            "//testdata:ops",
            "//tools:compile",
        ],
        tags = ["gpu"],
        deps = deps,
    )
