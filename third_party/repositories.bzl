"""External repositories, all of them made from what Debian packages and PyPI have installed."""

def _system_library_impl(ctx):
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)
    ctx.symlink(ctx.attr.build_file, "BUILD")

# A library whose headers the C++ toolchain finds by itself (under /usr/include): only a BUILD file is needed.
_system_library = repository_rule(
    implementation = _system_library_impl,
    attrs = {"build_file": attr.label(mandatory = True, allow_single_file = True)},
    local = True,
)

def _rules_cc_impl(ctx):
    ctx.file("WORKSPACE", "workspace(name = \"rules_cc\")\n")
    ctx.file("BUILD", "")
    ctx.file("cc/BUILD", "")
    ctx.symlink(ctx.attr.defs, "cc/defs.bzl")
    for name in ["action_names.bzl", "cc_toolchain_config_lib.bzl", "find_cc_toolchain.bzl"]:
        ctx.symlink("/usr/share/bazel/rules/cc/cc/" + name, "cc/" + name)

_rules_cc = repository_rule(
    implementation = _rules_cc_impl,
    attrs = {"defs": attr.label(mandatory = True, allow_single_file = True)},
    local = True,
)

def _coverage_tools_impl(ctx):
    ctx.file("WORKSPACE", "workspace(name = \"remote_coverage_tools\")\n")
    ctx.symlink(ctx.attr.build_file, "BUILD")
    ctx.file("lcov_merger.sh", "#!/bin/sh\nexit 0\n", executable = True)

_coverage_tools = repository_rule(
    implementation = _coverage_tools_impl,
    attrs = {"build_file": attr.label(mandatory = True, allow_single_file = True)},
    local = True,
)

def _run_python(ctx, code):
    result = ctx.execute(["python3", "-c", code])
    if result.return_code != 0:
        fail("python3 on PATH failed:\n%s\nRun ./bazelw once: it installs what is missing." % result.stderr)
    return result.stdout.strip()

def _python_impl(ctx):
    """The python3 that is first on PATH: its absolute path."""
    executable = _run_python(ctx, "import sys; print(sys.executable)")
    ctx.file("WORKSPACE", "workspace(name = \"python\")\n")
    ctx.file("defs.bzl", "PYTHON = \"%s\"\n" % executable)
    ctx.file("BUILD", "")

_python = repository_rule(
    implementation = _python_impl,
    environ = ["PATH"],
    local = True,
)

def _static_llvm_impl(ctx):
    """A folder to search before LLVM's own: what -lLLVM-19 finds there is the static libraries."""
    config = "/usr/lib/llvm-19/bin/llvm-config"
    components = ["all-targets", "passes", "lto", "option"]  # lld initializes all targets
    result = ctx.execute([config, "--link-static", "--libfiles"] + components)
    if result.return_code != 0:
        fail("%s failed:\n%s\nRun ./bazelw once: it installs what is missing." % (config, result.stderr))

    # Polly is not in Debian's package, and nothing needs it.
    files = [path for path in result.stdout.strip().split(" ") if "Polly" not in path]
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)
    ctx.file("libLLVM-19.so", "GROUP(%s)\n" % " ".join(files))
    for name in ["z", "zstd"]:
        ctx.file("lib%s.so" % name, "INPUT(/usr/lib/x86_64-linux-gnu/lib%s.a)\n" % name)
    ctx.symlink(ctx.attr.build_file, "BUILD")

_static_llvm = repository_rule(
    implementation = _static_llvm_impl,
    attrs = {"build_file": attr.label(mandatory = True, allow_single_file = True)},
    local = True,
)

def _static_libraries_impl(ctx):
    """A folder to search before the system's: what -labsl_NAME and -lstdc++ find there is static libraries, all of Abseil's."""
    folder = "/usr/lib/x86_64-linux-gnu"
    found = ctx.execute(["find", folder, "-name", "libabsl_*.a"])
    files = sorted(found.stdout.strip().split("\n"))
    standard = ctx.execute(["gcc", "-print-file-name=libstdc++.a"])
    if found.return_code != 0 or files == [""] or not standard.stdout.startswith("/"):
        fail("no libabsl_*.a in %s, or no libstdc++.a. Run ./bazelw once: it installs what is missing." % folder)
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)
    for path in files:
        ctx.file(path[len(folder) + 1:-len(".a")] + ".so", "GROUP(%s)\n" % " ".join(files))
    ctx.file("libstdc++.so", "INPUT(%s)\n" % standard.stdout.strip())
    ctx.symlink(ctx.attr.build_file, "BUILD")

_static_libraries = repository_rule(
    implementation = _static_libraries_impl,
    attrs = {"build_file": attr.label(mandatory = True, allow_single_file = True)},
    local = True,
)

def mgec_repositories():
    # What Bazel would otherwise download.
    _rules_cc(name = "rules_cc", defs = "//third_party/rules_cc:defs.bzl")
    _coverage_tools(name = "remote_coverage_tools", build_file = "//third_party/coverage_tools:coverage_tools.BUILD")
    native.local_repository(name = "rules_java", path = "/usr/share/bazel/rules/java")
    native.local_repository(name = "rules_proto", path = "/usr/share/bazel/rules/proto")
    native.local_repository(name = "platforms", path = "/usr/share/bazel/tools/platforms")
    native.local_repository(name = "bazel_skylib", path = "/usr/share/bazel/tools/skylib")

    native.new_local_repository(
        name = "llvm",
        path = "/usr/lib/llvm-19",
        build_file = "//third_party/llvm:llvm.BUILD",
    )
    for name in ["absl", "benchmark", "flatbuffers", "gtest", "json", "mbedtls", "rapidjson", "xxhash"]:
        _system_library(name = name, build_file = "//third_party/%s:%s.BUILD" % (name, name))
    _python(name = "python")
    _static_llvm(name = "static_llvm", build_file = "//third_party/static_llvm:static_llvm.BUILD")
    _static_libraries(name = "static_libraries", build_file = "//third_party/static_libraries:static_libraries.BUILD")
