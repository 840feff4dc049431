"""Targets built for 64-bit Arm within a build for another CPU."""

def _to_aarch64(settings, attr):
    return {
        "//command_line_option:cpu": "aarch64",
        "//command_line_option:crosstool_top": "//third_party/aarch64:toolchain",
    }

_aarch64 = transition(
    implementation = _to_aarch64,
    inputs = [],
    outputs = [
        "//command_line_option:cpu",
        "//command_line_option:crosstool_top",
    ],
)

def _aarch64_binary_impl(ctx):
    out = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = out, target_file = ctx.executable.binary, is_executable = True)
    return [DefaultInfo(files = depset([out]), executable = out)]

aarch64_binary = rule(
    doc = "A cc_binary as it is for 64-bit Arm.",
    implementation = _aarch64_binary_impl,
    attrs = {
        "binary": attr.label(
            cfg = _aarch64,
            executable = True,
            mandatory = True,
        ),
        "_allowlist_function_transition": attr.label(default = "@bazel_tools//tools/allowlists/function_transition_allowlist"),
    },
    executable = True,
)
