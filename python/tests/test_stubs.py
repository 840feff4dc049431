"""The stubs (.pyi) say what the modules do: the same names, parameters and defaults."""
import ast
import importlib
import inspect
import os

import pytest

import megenginelite

FOLDER = os.path.dirname(os.path.abspath(megenginelite.__file__))
MODULES = sorted(name[: -len(".pyi")] for name in os.listdir(FOLDER) if name.endswith(".pyi") and name != "__init__.pyi")
# What every class has that type checkers know without being told.
KNOWN = {"__repr__", "__init_subclass__"}


def test_the_stubs_are_there():
    assert {"base", "config", "global_setting", "layout", "network", "network_io", "tensor", "utils"} <= set(MODULES)
    assert os.path.exists(os.path.join(FOLDER, "py.typed"))
    with open(os.path.join(FOLDER, "__init__.pyi")) as file:
        ast.parse(file.read())


def parameters_of(arguments):
    """(name, default) of every parameter in a stub; None where there is no default."""
    plain = arguments.posonlyargs + arguments.args
    defaults = [None] * (len(plain) - len(arguments.defaults)) + [ast.unparse(node) for node in arguments.defaults]
    listed = list(zip([argument.arg for argument in plain], defaults))
    return listed + ([("**" + arguments.kwarg.arg, None)] if arguments.kwarg else [])


def parameters(function):
    """The same of the function itself."""
    listed = []
    for parameter in inspect.signature(function).parameters.values():
        name = ("**" if parameter.kind is parameter.VAR_KEYWORD else "") + parameter.name
        default = parameter.default
        if default is parameter.empty:
            listed.append((name, None))
        elif hasattr(type(default), "__members__"):
            listed.append((name, str(type(default).__name__) + "." + default.name))
        else:
            listed.append((name, repr(default)))
    return listed


def stub_names(body):
    """{name: node} of what a stub declares; setters count with their property."""
    names = {}
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.setdefault(node.name, node)
        elif isinstance(node, ast.AnnAssign):
            names[node.target.id] = node
    return names


def own(container, module_name):
    """The names that a module or class has of its own and that are for users."""
    names = {}
    for name, value in vars(container).items():
        public = not name.startswith("_") or (name.startswith("__") and name.endswith("__") and callable(value))
        if not public or name in KNOWN or inspect.ismodule(value):
            continue
        if inspect.ismodule(container) and name == "__getattr__":
            continue  # what it gives stands in the stub by its name
        if inspect.isclass(container) or getattr(value, "__module__", None) == module_name:
            names[name] = value
    return names


def compare(stub, real, where):
    if isinstance(real, staticmethod):
        real = real.__func__
    if isinstance(stub, ast.FunctionDef):
        if isinstance(real, property):
            return
        assert parameters_of(stub.args) == parameters(real), where
    elif isinstance(stub, ast.ClassDef):
        in_stub = stub_names(stub.body)
        fields = {name for name, *_ in getattr(real, "_fields_", [])}
        for name, value in own(real, real.__module__).items():
            if name in ("__module__", "__doc__", "__dict__", "__weakref__", "__hash__") or isinstance(value, classmethod):
                continue
            assert name in in_stub or name in fields, "%s.%s is missing in the stub" % (where, name)
        for name, node in in_stub.items():
            if isinstance(node, ast.AnnAssign):
                continue  # set by __init__, or a property with a setter
            assert hasattr(real, name), "%s.%s is in the stub only" % (where, name)
            compare(node, inspect.getattr_static(real, name), where + "." + name)


@pytest.mark.parametrize("name", MODULES)
def test_stub(name):
    module = importlib.import_module("megenginelite." + name)
    with open(os.path.join(FOLDER, name + ".pyi")) as file:
        in_stub = stub_names(ast.parse(file.read()).body)
    for public, value in own(module, module.__name__).items():
        if inspect.isfunction(value) or inspect.isclass(value):
            assert public in in_stub, "%s.%s is missing in the stub" % (name, public)
    for public, node in in_stub.items():
        assert hasattr(module, public), "%s.%s is in the stub only" % (name, public)
        compare(node, getattr(module, public), name + "." + public)


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_has_a_docstring(name):
    module = importlib.import_module("megenginelite." + name)
    for public, value in own(module, module.__name__).items():
        if not (inspect.isfunction(value) or inspect.isclass(value)) or public.startswith("_"):
            continue
        assert value.__doc__, public
        if inspect.isclass(value):
            for member, function in own(value, module.__name__).items():
                if callable(function) and not member.startswith("__"):
                    assert function.__doc__, "%s.%s" % (public, member)


def test_fields_set_by_init_exist():
    network = megenginelite.LiteNetwork()
    for name in ("config", "network_io", "model_bytes", "threads_number", "device_id", "stream_id"):
        assert hasattr(network, name)
