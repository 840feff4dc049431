"""Registered decryptions of model files. The table is the library's, and has MegEngine Lite's own methods from the start:
AES_default, RC4_default and SIMPLE_FAST_RC4_default.
"""
import ctypes

import numpy as np

from .runtime_binding import library

# size_t decrypt(in, in_length, key, key_length, out): returns the length of the plain text; writes it if out is not NULL.
LiteDecryptionFunc = ctypes.CFUNCTYPE(
    ctypes.c_size_t,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.POINTER(ctypes.c_uint8),
    ctypes.c_size_t,
    ctypes.c_void_p,
)

library.LITE_register_decryption_and_key.argtypes = [ctypes.c_char_p, LiteDecryptionFunc, ctypes.c_void_p, ctypes.c_size_t]
library.LITE_update_decryption_or_key.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
library.LITE_get_last_error.restype = ctypes.c_char_p

_functions = []  # the library keeps their addresses for as long as the process lives


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


def _key_array(key):
    """`key`, numbers from 0 to 255, as an array and its length."""
    content = bytes(bytearray(int(byte) for byte in key))
    return (ctypes.c_uint8 * max(len(content), 1))(*content), len(content)


def _check(result):
    if result != 0:
        raise RuntimeError(library.LITE_get_last_error().decode("utf-8", "replace"))


def register(name, func, key):
    """Registers `func`, a LiteDecryptionFunc, under `name`."""
    if not isinstance(func, LiteDecryptionFunc):
        raise TypeError("func must be a LiteDecryptionFunc; decorate it with decryption_func")
    array, length = _key_array(key)
    _check(library.LITE_register_decryption_and_key(name.encode(), func, array, length))
    _functions.append(func)


def update_key(name, key):
    """Changes the key; an empty one keeps it."""
    array, length = _key_array(key)
    _check(library.LITE_update_decryption_or_key(name.encode(), None, array, length))
