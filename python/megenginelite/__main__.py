"""python -m megenginelite compile MODEL.mge [-o MODEL.mgec] [--target=x86-64-v3] [--input-shape NAME=1x3x224x224]...

As tools/compile, which also prints what it made (--emit, --time, --json) and measures schedules (--tune).
"""
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


def _programs(shapes):
    """The input shapes of each program of the artifact: the k-th of each name for the k-th, what is given once for all."""
    given = {}
    for name, shape in shapes:
        given.setdefault(name, []).append(shape)
    count = max(map(len, given.values()), default=1)
    for name, of_name in given.items():
        if len(of_name) not in (1, count):
            raise ValueError("--input-shape %s is given %d times, another input %d times" % (name, len(of_name), count))
    return [{name: s[0] if len(s) == 1 else s[i] for name, s in given.items()} for i in range(count)]


def _threads(text):
    threads = int(text)
    if not 0 <= threads <= 1024:
        raise argparse.ArgumentTypeError("must be in [0, 1024]")
    return threads


def main(arguments=None):
    """Compiles a model; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m megenginelite", description="Compiles MegEngine models.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("compile", help="compile a .mge model into a .mgec artifact")
    command.add_argument("model")
    command.add_argument("-o", "--output", help="where the artifact goes; beside the model if not given")
    command.add_argument(
        "--input-shape",
        type=_shape,
        action="append",
        default=[],
        metavar="NAME=1x3x224x224",
        help="instead of the model's; repeated for the same input: the artifact runs all of these shapes; "
        "NAME=Nx3x224x224: a batch of any size",
    )
    command.add_argument("--target", default="", help="for example cuda,x86-64-v3; targets for CPUs if not given")
    command.add_argument(
        "--nowinograd",
        dest="winograd",
        action="store_false",
        help="compute convolutions without Winograd's algorithm, for the last digits of accuracy",
    )
    command.add_argument(
        "--cuda-tf32",
        action="store_true",
        help="let tensor cores of GPUs multiply float32 numbers, of whose 24 significant bits they keep 11",
    )
    command.add_argument("--threads", type=_threads, default=0, help="that generate code; all CPUs if 0")
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
        shapes = _programs(options.input_shape)
        if options.cuda_tf32 and not any(target.split(":")[0] == "cuda" for target in options.target.split(",")):
            raise ValueError("--cuda-tf32 is for GPUs: name cuda among the targets (--target)")
        if os.path.abspath(output) == os.path.abspath(options.model):
            raise ValueError("-o %s is the model itself" % output)
        with open(options.model, "rb") as file:
            model = file.read()
        artifact = module.compile(
            model,
            os.path.basename(options.model),
            shapes,
            options.threads or os.cpu_count() or 1,
            options.target,
            options.winograd,
            options.cuda_tf32,
        )
        _write(output, artifact)
    except (OSError, RuntimeError, ValueError) as error:
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
