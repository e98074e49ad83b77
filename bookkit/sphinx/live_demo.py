"""Puts the live digit demo where a page holds nothing in a paragraph but a link to `assets/demo/demo.js`.

In JupyterLab and on GitHub that paragraph is an ordinary link to the demo's program. On the site it becomes a button;
the program, its style and the model are fetched when the button is pressed, and not before.
"""

from docutils import nodes
from sphinx.transforms import SphinxTransform

from bookkit import BOOK
from bookkit.editions import edition_of

ASSETS = BOOK / "assets" / "demo"
PROGRAM = "assets/demo/demo.js"
TEXTS = {
    "en": {
        "invitation": "Draw a digit, and the network of this book answers here, on your device.",
        "button": "Load the model ({size} kB)",
        "fault": "The demo could not be loaded. Press the button to try again.",
        "without": "The demo needs JavaScript, which is switched off in this browser. The chapter can be read without it.",
    },
    "zh": {
        "invitation": "写一个数字，本书的网络就在这里、在你的设备上作答。",
        "button": "加载模型（{size} kB）",
        "fault": "演示没有加载成功。请再按一次按钮。",
        "without": "演示需要JavaScript，而这个浏览器关闭了它。没有演示，本章照样可以读。",
    },
}
# The styles stand in the elements, so that nothing has to be fetched for a demo that nobody starts.
PLACEHOLDER = """<div class="digit-demo" data-language="{edition}" data-program="{program}">
<div style="border:1px solid currentColor;border-radius:.4rem;padding:1rem;margin:1.5rem 0">
<p style="margin-top:0">{invitation}</p>
<button type="button" hidden
  style="font:inherit;color:inherit;background:none;border:1px solid currentColor;border-radius:.3rem;
  padding:.4rem 1rem;cursor:pointer">{button}</button>
<p role="alert" hidden>{fault}</p>
<noscript><p>{without}</p></noscript>
</div>
<script>
{{
  const demo = document.currentScript.parentElement, button = demo.querySelector("button"), fault = demo.querySelector("[role=alert]");
  button.hidden = false;
  button.addEventListener("click", async () => {{
    button.disabled = true;
    try {{ await (await import(new URL(demo.dataset.program, document.baseURI))).start(demo); }}
    catch (error) {{ console.warn(error); fault.hidden = false; button.disabled = false; }}
  }});
}}
</script>
</div>
"""


def only_link(paragraph):
    """Return the target of the link that is all a paragraph holds, or ""."""
    children = [child for child in paragraph.children if child.astext().strip()]
    if len(children) != 1 or isinstance(children[0], nodes.Text):
        return ""
    return str(children[0].get("reftarget") or children[0].get("refuri") or "")


class LiveDemo(SphinxTransform):
    """Replaces the paragraph by the button on HTML pages, before Sphinx looks for the file as a download."""

    default_priority = 200

    def apply(self):
        if self.app.builder.format != "html":
            return
        edition = edition_of(self.config, self.env.docname)
        size = sum(file.stat().st_size for file in ASSETS.iterdir()) // 1000
        for paragraph in list(self.document.findall(nodes.paragraph)):
            if only_link(paragraph).endswith(PROGRAM):
                program = "../" * self.env.docname.count("/") + "_static/demo/demo.js"
                texts = {name: text.format(size=size) for name, text in TEXTS[edition].items()}
                paragraph.replace_self(
                    nodes.raw("", PLACEHOLDER.format(edition=edition, program=program, **texts), format="html")
                )


def setup(app):
    app.add_transform(LiveDemo)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
