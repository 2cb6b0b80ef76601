"""Build steps that setup.cfg cannot express: the cffi extension and the shipped guests."""

from setuptools import setup

setup(cffi_modules=["nova_lite/hv/native/build.py:ffibuilder"])
