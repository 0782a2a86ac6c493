"""Sphinx: what the pages are made with. docs/website/build.py writes the pages themselves."""
project = "minigrad"
copyright = "2026, the minigrad developers"
extensions = ["myst_nb"]
html_theme = "furo"
html_title = "minigrad"
html_static_path = ["static"]
html_css_files = ["minigrad.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
templates_path = []
smartquotes = False                               # --quick is not an en dash

nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "cache"                       # run where the text or its packages changed, otherwise as remembered
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
