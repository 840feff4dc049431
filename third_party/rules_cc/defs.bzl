"""The part of rules_cc that Bazel's own packages load, over Bazel's native rules."""

cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_proto_library = native.cc_proto_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
fdo_prefetch_hints = native.fdo_prefetch_hints
fdo_profile = native.fdo_profile
objc_import = native.objc_import
objc_library = native.objc_library

def cc_flags_supplier(name, **kwargs):
    """Bazel's packages name this rule; nothing here uses make variables of the C++ toolchain."""
    native.filegroup(name = name, visibility = kwargs.get("visibility"))

def compiler_flag(name, **kwargs):
    """Bazel's packages name this rule; nothing here selects on the compiler."""
    native.filegroup(name = name, visibility = kwargs.get("visibility"))
