---The language server as Neovim sees it; `vim.lsp.enable('midfill')` alone starts it with these.
---@type vim.lsp.Config
return {
  cmd = { 'midfill-lsp' },
  root_markers = { '.git', 'pyproject.toml', 'package.json', 'Cargo.toml', 'go.mod' },
  -- No `filetypes`: the server itself decides which files it completes, for every editor alike.
  init_options = {
    -- vim.lsp.inline_completion waits 200 ms after a change before it asks (measured on 0.12.4);
    -- the server takes what was already waited off its own debounce.
    clientWaitMs = 200,
  },
}
