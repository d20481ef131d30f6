---The language server as Neovim sees it. `setup` adds what our own client needs;
---with Neovim's built-in one `vim.lsp.enable('midfill')` starts it with just these.
---@type vim.lsp.Config
return {
  cmd = { 'midfill-lsp' },
  -- No `filetypes`: the server itself decides which files it completes, for every editor alike.
  root_markers = { '.git', 'pyproject.toml', 'package.json', 'Cargo.toml', 'go.mod' },
}
