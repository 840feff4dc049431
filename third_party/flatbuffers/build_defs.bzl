"""C++ headers from FlatBuffers schemas."""

def flatbuffer_cc_library(name, srcs, flatc_args = ["--scoped-enums"], visibility = None):
    """A cc_library with a header `NAME_generated.h` for every schema `NAME.fbs`.

    Include them by their path from the root of the repository, for example "runtime/artifact_generated.h". Schemas may
    `include` each other when all of them are in `srcs` and in one folder.

    Args:
      name: name of the library.
      srcs: the schemas.
      flatc_args: more arguments for flatc; by default enumerators stay out of the namespace.
      visibility: as everywhere.
    """
    headers = [src.rsplit(".", 1)[0] + "_generated.h" for src in srcs]
    native.genrule(
        name = name + "_headers",
        srcs = srcs,
        outs = headers,
        cmd = "flatc --cpp %s -o $(RULEDIR) $(SRCS)" % " ".join(flatc_args),
        message = "Generating",
    )
    native.cc_library(
        name = name,
        hdrs = headers,
        deps = ["@flatbuffers"],
        visibility = visibility,
    )
