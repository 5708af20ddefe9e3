"""Search in Chinese, as Sphinx has it, with words also cut out of what is asked for (Sphinx cuts only the pages).

Sphinx 9.0 names a stemmer that it does not bring along, and its page of results stops there.
"""

from __future__ import annotations

from pathlib import Path

import jieba
from sphinx.search.zh import SearchChinese

jieba.setLogLevel("WARNING")  # it tells of its dictionary on every start


class ChineseSearch(SearchChinese):
    language_name = "English"  # of the stemmer in the page; Chinese has nothing to stem
    js_splitter_code = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
