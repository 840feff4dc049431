"""Registered decryptions of model files."""
import ctypes
import threading

import numpy as np

# size_t decrypt(in, in_length, key, key_length, out): returns the length of the plain text; writes it if out is not NULL.
LiteDecryptionFunc = ctypes.CFUNCTYPE(
    ctypes.c_size_t,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.POINTER(ctypes.c_uint8),
    ctypes.c_size_t,
    ctypes.c_void_p,
)

_mutex = threading.Lock()
_registered = {}  # name -> (function, key as bytes)


def _array_at(address, length):
    if not address:
        return None
    return np.frombuffer((ctypes.c_uint8 * length).from_address(address), np.uint8)


def decryption_func(func):
    """Decorator: makes a LiteDecryptionFunc of func(in_arr, key_arr, out_arr), all of them uint8 arrays.

    It is called twice: with None for out_arr it returns the length of the plain text, then it writes it to out_arr.
    """
    length = [0]

    @LiteDecryptionFunc
    def wrapper(in_address, in_length, key_pointer, key_length, out_address):
        key = _array_at(ctypes.cast(key_pointer, ctypes.c_void_p).value, key_length)
        if not out_address:
            length[0] = func(_array_at(in_address, in_length), key, None)
            return length[0]
        return func(_array_at(in_address, in_length), key, _array_at(out_address, length[0]))

    return wrapper


def _key_bytes(key):
    return bytes(bytearray(int(byte) for byte in key))


def register(name, func, key):
    """Registers `func`, a LiteDecryptionFunc, under `name`."""
    if not isinstance(func, LiteDecryptionFunc):
        raise TypeError("func must be a LiteDecryptionFunc; decorate it with decryption_func")
    with _mutex:
        if name in _registered:
            raise RuntimeError("The decryption method %s is already registered." % name)
        _registered[name] = (func, _key_bytes(key))


def update_key(name, key):
    """Changes the key; an empty one keeps it."""
    with _mutex:
        if name not in _registered:
            raise RuntimeError("The decryption method %s is not registed yet." % name)
        func, old = _registered[name]
        _registered[name] = (func, _key_bytes(key) or old)


def decrypt(name, data):
    """The plain text of `data`, by the decryption registered as `name`."""
    with _mutex:
        if name not in _registered:
            raise RuntimeError("The decryption method %s is not registed yet." % name)
        func, key = _registered[name]
    source = ctypes.create_string_buffer(data, len(data))
    key_array = (ctypes.c_uint8 * len(key)).from_buffer_copy(key)
    length = func(ctypes.cast(source, ctypes.c_void_p), len(data), key_array, len(key), None)
    if length == 0:
        raise RuntimeError("The decryption method %s failed." % name)
    plain = ctypes.create_string_buffer(length)
    func(ctypes.cast(source, ctypes.c_void_p), len(data), key_array, len(key), ctypes.cast(plain, ctypes.c_void_p))
    return plain.raw
