"""What the two editions share: their languages and how to tell which edition a page belongs to."""
LANGUAGES = ("en", "zh")
LANGUAGE_TAGS = {"en": "en", "zh": "zh-CN"}     # BCP 47, for `lang` and `hreflang`


def edition_of(config, docname):
    """Return "en" or "zh" for a page: from the build's own edition, or, in a bare build of both, from its path."""
    if config.book_edition:
        return config.book_edition
    return "zh" if docname.startswith("book/zh/") else "en"
