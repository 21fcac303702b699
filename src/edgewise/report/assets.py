"""What a self-contained page carries in itself: its templates' style sheets and scripts, and plotly."""

from __future__ import annotations

from jinja2 import Environment
from markupsafe import Markup


def asset(environment: Environment, name: str) -> Markup:
    """A file of the page's templates, as it is."""
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def plotly() -> Markup:
    """plotly's script, fit to stand inside a page."""
    # Imported here: it takes a while, and pages without figures do not need it.
    from plotly.offline import get_plotlyjs

    source = get_plotlyjs()
    # A script element ends at the first of these, even inside a JavaScript text.
    return Markup(source.replace("</script", "<\\/script").replace("<!--", "<\\!--"))
