"""Runs in the companions' own virtual environment: a WSGI application on a socket that is listening already.

python serve_wsgi.py FD MODULE ATTRIBUTE
"""

import importlib
import socket
import sys

import waitress

if __name__ == "__main__":
    _, fd, module, attribute = sys.argv
    del sys.argv[1:]  # the applications read it as their own
    application = getattr(importlib.import_module(module), attribute)
    listener = socket.socket(fileno=int(fd))
    waitress.serve(application, sockets=[listener], threads=4, _quiet=True)
