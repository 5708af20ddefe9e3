"""Sphinx's settings for both languages; `docs/build.py` puts the pages together and calls it."""

import os
import sys
from pathlib import Path

from pellucid import __version__

sys.path.insert(0, str(Path(__file__).parent))

language = os.environ["PELLUCID_DOCS_LANGUAGE"]  # en or zh_CN
project = "pellucid"
author = "The pellucid developers"
release = __version__
html_title = "pellucid"
html_short_title = "pellucid"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx-mathjax-offline"]
templates_path = ["_templates"]
locale_dirs = ["locale"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme = "furo"
html_theme_options = {  # the studio's colours
    "light_css_variables": {"color-brand-primary": "#0a6e64", "color-brand-content": "#0a6e64"},
    "dark_css_variables": {"color-brand-primary": "#6fd0c2", "color-brand-content": "#6fd0c2"},
}
html_logo = html_favicon = "_static/icon.svg"  # the studio's, which docs/build.py puts there
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_search_summary = False  # it would fetch pages, which a browser refuses to a site opened from disk
html_domain_indices = False
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "language.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_search_language = "zh" if language == "zh_CN" else "en"

nb_execution_mode = "off"  # the notebooks hold what they printed and drew: docs/tutorial/notebooks.py
myst_enable_extensions = ["dollarmath", "deflist", "attrs_block"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # docstrings say what an argument is, and its shape
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
add_module_names = False
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False
default_role = "py:obj"  # a name in backticks links to its entry where there is one


def setup(app):
    from chinese_search import ChineseSearch

    from reference import set_apart

    def formulas(app, what, name, value, options, lines):
        said = "".join(lines).startswith("Alias for field number")  # Python's word for a field without words of its own
        lines[:] = [] if said else set_apart(lines)

    app.add_search_language(ChineseSearch)
    app.connect("autodoc-process-docstring", formulas, priority=100)  # before numpydoc
