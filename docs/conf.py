"""Configuration of the documentation; the build needs no network."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import sparseopt

project = "sparseopt"
author = "the sparseopt developers"
project_copyright = "2026, the sparseopt developers"
release = version = sparseopt.__version__

extensions = [
    "api_pages",
    "operator_table",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_ext"]
default_role = "py:obj"

autodoc_typehints = "none"  # the docstrings say what an argument is, at greater length
autosummary_generate = False  # api_pages writes the pages
numpydoc_show_class_members = False  # autodoc lists them once

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"\.py$",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "sparseopt"
html_theme_options = {
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "navigation_with_keys": False,
}
html_sidebars = {"changelog": []}
