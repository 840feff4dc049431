"""The compiler that megenginelite loads MegEngine models with. There is nothing to call here: see megenginelite."""
import os

library_path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libmegenginelite_compiler.so")
