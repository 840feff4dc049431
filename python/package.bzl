"""Puts a Python package together in the output tree."""

def _python_package_impl(ctx):
    outputs = []
    for src in ctx.files.srcs:
        # The same path as in the source tree, below bazel-bin.
        output = ctx.actions.declare_file(src.short_path[len(ctx.label.package) + 1:])
        ctx.actions.run_shell(
            inputs = [src],
            outputs = [output],
            command = "cp '%s' '%s'" % (src.path, output.path),
            progress_message = "Copying %s" % src.short_path,
        )
        outputs.append(output)
    files = depset(outputs + ctx.files.extensions)
    return [DefaultInfo(files = files, runfiles = ctx.runfiles(files.to_list()))]

# `bazel build` of it leaves the modules of `srcs` and the extension modules together below bazel-bin, so that its folder
# there can be put on PYTHONPATH.
python_package = rule(
    implementation = _python_package_impl,
    attrs = {
        "srcs": attr.label_list(allow_files = [".py", ".pyi", ".typed"]),
        "extensions": attr.label_list(allow_files = True),
    },
)
