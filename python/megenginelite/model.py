"""What a network loads: a compiled artifact, or a MegEngine model that is compiled on the way."""
import os

from .runtime_binding import Artifact
from .packed_model import UnpackedModel, is_packed
from .struct import LiteDeviceType

_MAGIC = b"MGEC"


def compiler():
    """The module that compiles models, or None where it is not installed."""
    try:
        from . import compiler_binding
    except ImportError:
        return None
    return compiler_binding


def compile_model(model, name, load, input_shapes=None, targets=""):
    """load() of the artifact of a .mge model (bytes), which comes from the cache if it was compiled before.

    load() takes a path or bytes. input_shapes: {name: shape} to use instead of the model's own. targets: "cuda" for GPUs, ""
    for CPUs. RuntimeError where the
    model cannot be compiled, or where the compiler is not installed.
    """
    module = compiler()
    if module is None:
        raise RuntimeError(
            "%s is not a compiled model, and the compiler is not installed here: install megenginelite-compiler, or compile "
            "the model elsewhere with python -m megenginelite compile MODEL.mge or bazel run //tools:compile -- MODEL.mge"
            % name
        )
    shapes = {key: [int(d) for d in shape] for key, shape in (input_shapes or {}).items()}
    stamp = os.stat(module.__file__)  # another build of the compiler gets entries of its own
    options = {"shapes": shapes, "compiler": [module.version(), stamp.st_size, stamp.st_mtime_ns]}
    if targets:
        options["targets"] = targets

    def compile():
        try:
            extra = {"targets": targets} if targets else {}
            return module.compile(model, os.path.basename(name), [shapes], threads=os.cpu_count() or 1, **extra)
        except RuntimeError as error:
            if "not a MegEngine model" in str(error):  # in MegEngine Lite's words
                raise RuntimeError("invalid model format: %s" % error) from None
            raise

    from . import compile_cache  # what it imports takes longer than loading a compiled model

    return compile_cache.fetch(model, options, compile, load)


class Model:
    """A loaded model and what it takes to have it for other input shapes.

    artifact: of the shapes that it was loaded with.
    unpacked: an UnpackedModel, if the file was packed with information on how to run it, else None.
    """

    def __init__(self, source, config):
        """`source`: a path or bytes."""
        if config is not None and config.has_compression:
            raise RuntimeError("Unexpected compression method: compiled models are not compressed")
        self.unpacked = None
        encryption = config.bare_model_cryption_name if config is not None else ""
        self._private = config is not None and bool(config.options.weight_preprocess)
        self._name = "model" if isinstance(source, bytes) else os.fspath(source)
        self._mge = None
        self._targets = "cuda" if config is not None and config.device_type == LiteDeviceType.LITE_CUDA else ""
        if not encryption and not isinstance(source, bytes):
            with open(source, "rb") as file:
                head = file.read(len(_MAGIC))
            if head == _MAGIC:
                self.artifact = self._open(self._name)
                return
        content = source
        if not isinstance(source, bytes):
            with open(source, "rb") as file:
                content = file.read()
        if encryption or is_packed(content):
            content = self._unpack(content, encryption)
        if content[: len(_MAGIC)] == _MAGIC:
            self.artifact = self._open(content)
        else:
            self._mge = content
            self.artifact = compile_model(content, self._name, self._open, targets=self._targets)

    def _unpack(self, content, encryption):
        try:
            unpacked = UnpackedModel(content, encryption)
        except RuntimeError as error:
            raise RuntimeError("%s: %s" % (self._name, error)) from None
        if unpacked.has_info:
            self.unpacked = unpacked
        return unpacked.model

    def _open(self, source):
        if isinstance(source, bytes):
            return Artifact.from_bytes(source, self._name, self._private)
        return Artifact.open(source, self._private)

    def for_shapes(self, input_shapes):
        """The artifact for other input shapes ({name: shape}), or None where only the compiled model is at hand."""
        if self._mge is None:
            return None
        return compile_model(self._mge, self._name, self._open, input_shapes, self._targets)
