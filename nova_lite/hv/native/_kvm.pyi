# The extension that build.py makes; what its lib holds stands in interface.h.
from typing import Any

ffi: Any
lib: Any
