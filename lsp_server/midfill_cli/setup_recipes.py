"""`midfill setup helix|emacs|…`: the lines of configuration for editors that Midfill has no client of its own for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SERVER = "@SERVER@"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to write where, and whether the editor shows inline completions at all (looked up in November 2026)."""

    title: str
    programs: tuple[str, ...]
    shows: bool
    support: str
    file: str
    lines: str


RECIPES: Mapping[str, Recipe] = {
    "nvim-builtin": Recipe(
        "Neovim 0.12 without a plugin",
        (),
        True,
        "Neovim 0.12 shows inline completions by itself (`:help lsp-inline_completion`); no streaming, no partial accept.",
        "init.lua",
        """\
vim.lsp.config('midfill', { cmd = { @SERVER@ }, init_options = { clientWaitMs = 200 } })
vim.lsp.enable('midfill')
vim.lsp.inline_completion.enable()
vim.keymap.set('i', '<Tab>', function()
  return vim.lsp.inline_completion.get() and '' or '<Tab>'
end, { expr = true })""",
    ),
    "coc": Recipe(
        "Vim or Neovim with coc.nvim",
        (),
        True,
        "Newer versions of coc.nvim show inline completions (`coc#inline#accept`). Not tested with Midfill.",
        "coc-settings.json and .vimrc",
        """\
{ "languageserver": { "midfill": { "command": @SERVER@, "filetypes": ["*"] } } }

inoremap <silent><expr> <Tab> coc#inline#visible() ? coc#inline#accept() : "\\<Tab>\"""",
    ),
    "emacs": Recipe(
        "Emacs with lsp-mode",
        ("emacs",),
        True,
        "lsp-mode shows inline completions since November 2024 (lsp-inline-completion); Eglot does not. Not tested with Midfill.",
        "init.el",
        """\
(with-eval-after-load 'lsp-mode
  (lsp-register-client
   (make-lsp-client :new-connection (lsp-stdio-connection '(@SERVER@))
                    :activation-fn (lambda (&rest _) t)
                    :add-on? t
                    :server-id 'midfill)))
(setq lsp-inline-completion-enable t)
(add-hook 'prog-mode-hook #'lsp-deferred)""",
    ),
    "helix": Recipe(
        "Helix",
        ("hx", "helix"),
        False,
        "No release of Helix shows inline completions yet (helix-editor/helix pull request 14876 is open); "
        "a build with that change needs these lines.",
        "languages.toml, for each language",
        """\
[language-server.midfill]
command = @SERVER@

[[language]]
name = "python"
language-servers = ["pylsp", "midfill"]  # those that you use, and midfill""",
    ),
    "zed": Recipe(
        "Zed",
        ("zed", "zeditor"),
        False,
        "Zed shows no inline completions of language servers (zed-industries/zed issue 27392 is open), "
        "and takes servers from extensions only; nothing can be configured yet.",
        "",
        "",
    ),
    "sublime": Recipe(
        "Sublime Text with LSP",
        ("subl",),
        False,
        "LSP for Sublime Text shows no inline completions (sublimelsp/LSP pull request 2552 was closed); "
        "these lines start the server, for the day that it does.",
        "LSP.sublime-settings",
        """\
{ "clients": { "midfill": { "enabled": true, "command": [@SERVER@], "selector": "source | text" } } }""",
    ),
    "kate": Recipe(
        "Kate",
        ("kate",),
        False,
        "Kate's LSP client has no inline completions; nothing is gained by configuring it yet.",
        "",
        "",
    ),
    "jetbrains": Recipe(
        "JetBrains IDEs with LSP4IJ",
        ("idea", "pycharm"),
        False,
        "LSP4IJ shows no inline completions yet (redhat-developer/lsp4ij issue 643 is open).",
        "",
        "",
    ),
}


def render(recipe: Recipe, server: Path) -> str:
    """What the user is told; paths are quoted as JSON, which TOML, Lua, Emacs Lisp and JSON all read alike."""
    if not recipe.lines:
        return recipe.support
    lines = recipe.lines.replace(SERVER, json.dumps(str(server), ensure_ascii=False))
    return f"{recipe.support}\nIn {recipe.file}:\n\n{lines}\n"
