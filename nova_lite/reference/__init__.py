"""The reference that writes itself: Markdown pages and OpenAPI 3.1, from the operation table and nothing else.

``facts.py`` reads the table, ``keys.py`` the schemas, ``examples.py`` makes documents that the schemas accept;
``resource_page.py``, ``overview_pages.py`` and ``openapi.py`` write it down, ``build.py`` puts it into files. No text
about any one operation stands here: it comes from docstrings, schemas, policies and ``versions.HISTORY``.
"""
