"""python -m megenginelite compile MODEL.mge [-o MODEL.mgec] [--input-shape NAME=1x3x224x224]..."""
import argparse
import os
import sys
import tempfile

from .model import compiler


_ANY_BATCH = -1  # of the compiler


def _shape(text):
    name, _, dims = text.rpartition("=")
    try:
        shape = [_ANY_BATCH if i == 0 and d == "N" else int(d) for i, d in enumerate(dims.split("x"))]
        if not name or min(shape[1:], default=1) <= 0 or (shape[0] <= 0 and dims[0] != "N"):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError("%s: want NAME=1x3x224x224, or NAME=Nx3x224x224 for any batch" % text) from None
    return name, shape


def main(arguments=None):
    """Compiles a model; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m megenginelite", description="Compiles MegEngine models.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("compile", help="compile a .mge model into a .mgec artifact")
    command.add_argument("model")
    command.add_argument("-o", "--output", help="where the artifact goes; beside the model if not given")
    command.add_argument("--input-shape", type=_shape, action="append", default=[], metavar="NAME=1x3x224x224")
    command.add_argument("--target", default="", help="for example cuda,x86-64-v3; targets for CPUs if not given")
    options = parser.parse_args(arguments)
    module = compiler()
    if module is None:
        print("error: the compiler is not installed here: pip install megenginelite-compiler", file=sys.stderr)
        return 1
    output = options.output
    if output is None:
        root, extension = os.path.splitext(options.model)
        output = (root if extension == ".mge" else options.model) + ".mgec"
    try:
        with open(options.model, "rb") as file:
            model = file.read()
        shapes, threads = [dict(options.input_shape)], os.cpu_count() or 1
        artifact = module.compile(model, os.path.basename(options.model), shapes, threads, options.target)
        _write(output, artifact)
    except (OSError, RuntimeError) as error:
        print("error: %s" % error, file=sys.stderr)
        return 1
    print("wrote %s (%d bytes)" % (output, len(artifact)))
    return 0


def _write(path, content):
    """Writes beside `path` and renames, so that no half file is ever seen."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


if __name__ == "__main__":
    sys.exit(main())
