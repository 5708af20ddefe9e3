"""What pages of documentation show."""

import re


def blocks(page, language):
    """The code blocks of one language on a page, without comments: those are translated."""
    found = re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [re.sub(r"\s*# .*", "", block) for block in found]
