"""Build steps that setup.cfg cannot express: the cffi extension and the shipped guests."""

import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_ext import build_ext

GUESTS = "nova_lite/hv/guests"
_ELF = ["-m", "elf_x86_64", "-static", "-nostdlib", "-z", "noexecstack", "-T", "elf.ld"]
#: Guest file: (source, options of as, options of ld).
GUEST_STEPS = {
    "counting.bin": ("counting.S", ["--32"], ["-m", "elf_i386", "-Ttext=0", "--oformat=binary"]),
    "interactive.elf": ("interactive.S", ["--64"], _ELF),
    "nothing_bootable.elf": ("nothing_bootable.S", ["--64"], _ELF),
}


#: What is preloaded into the program that reads disks, and its source.
READER, READER_SOURCE = "nova_lite/disks/boot/confined_reader.so", "nova_lite/disks/boot/confined_reader.c"


class BuildExtensionAndGuests(build_ext):
    """Assembles the guests and compiles the reader's library where the extension goes: the build folder, or the source
    tree for an editable install."""

    def _guest_folder(self) -> Path:
        return Path(GUESTS) if self.inplace else Path(self.build_lib, GUESTS)

    def run(self) -> None:
        super().run()
        target = self._guest_folder().absolute()
        target.mkdir(parents=True, exist_ok=True)
        objects = Path(self.build_temp, GUESTS).absolute()
        objects.mkdir(parents=True, exist_ok=True)
        for name, (source, as_options, ld_options) in GUEST_STEPS.items():
            made = objects / f"{name}.o"
            subprocess.run(["as", *as_options, "-o", str(made), source], cwd=GUESTS, check=True)
            subprocess.run(["ld", *ld_options, "-o", str(target / name), str(made)], cwd=GUESTS, check=True)

        library = self._reader().absolute()
        library.parent.mkdir(parents=True, exist_ok=True)
        options = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-fstack-protector-strong"]
        subprocess.run(["gcc", *options, "-o", str(library), READER_SOURCE], check=True)

    def _reader(self) -> Path:
        return Path(READER) if self.inplace else Path(self.build_lib, READER)

    def get_outputs(self) -> list[str]:
        guests = (str(self._guest_folder() / name) for name in GUEST_STEPS)
        return [*super().get_outputs(), *guests, str(self._reader())]


setup(
    cffi_modules=["nova_lite/hv/native/build.py:ffibuilder"],
    cmdclass={"build_ext": BuildExtensionAndGuests},
)
