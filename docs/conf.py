"""Sphinx's settings for both languages; `docs/build.py` puts the pages together and calls it."""

import os

from pellucid import __version__

language = os.environ["PELLUCID_DOCS_LANGUAGE"]  # en or zh_CN
project = "pellucid"
author = "The pellucid developers"
release = __version__
html_title = "pellucid"
html_short_title = "pellucid"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx-mathjax-offline"]
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme = "furo"
html_copy_source = False
html_show_sourcelink = False
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
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = True
suppress_warnings = ["misc.highlighting_failure", "mystnb.unknown_mime_type"]

autodoc_typehints = "none"  # docstrings say what an argument is, and its shape
autodoc_member_order = "bysource"
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False
nitpicky = False
default_role = "code"
