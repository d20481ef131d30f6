-- No plugin: Neovim's own client for inline completion, as README.md shows it.
vim.o.swapfile = false
vim.o.laststatus = 2
vim.o.showcmd = false
vim.o.statusline = 'midfill: %{get(g:, "midfill_state", "")} ¦ '
  .. "%{mode()} ¦ %t ¦ 0 ¦ %{strcharpart(join(getline(1, '$'), '⏎'), 0, 64)} ¦ "

vim.lsp.config('midfill', {
  cmd = vim.json.decode(vim.env.MIDFILL_TEST_SERVER),
  root_markers = { '.git' },
})
vim.lsp.enable('midfill')
vim.lsp.inline_completion.enable()
vim.keymap.set('i', '<Tab>', function()
  return vim.lsp.inline_completion.get() and '' or '<Tab>'
end, { expr = true })

vim.lsp.handlers['midfill/status'] = function(_, status)
  vim.g.midfill_state = status.state
  vim.cmd.redrawstatus()
end
