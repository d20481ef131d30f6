-- The configuration of the editor that is tested; nothing in it is needed by Midfill.
vim.o.swapfile = false
vim.o.shadafile = 'NONE'
vim.o.laststatus = 2
vim.o.expandtab = true
vim.o.shiftwidth = 4
vim.o.ruler = false
vim.o.showcmd = false
-- So long after the last key the user is said to pause.
vim.o.updatetime = 300
vim.g.pause = 0
vim.api.nvim_create_autocmd('CursorHoldI', {
  callback = function()
    vim.g.pause = vim.b.changedtick
    vim.cmd.redrawstatus()
  end,
})
vim.o.statusline = table.concat({
  '%{luaeval(\'require"midfill".status()\')}',
  '%{mode()}',
  '%t',
  '%{g:pause}',
  "%{strcharpart(join(getline(1, '$'), '⏎'), 0, 64)}",
  '',
}, ' ¦ ')
vim.g.midfill = vim.json.decode(vim.env.MIDFILL_TEST_OPTIONS)
if vim.env.MIDFILL_TEST_ENCODING then
  local encodings = { vim.env.MIDFILL_TEST_ENCODING }
  vim.lsp.config('midfill', { capabilities = { general = { positionEncodings = encodings } } })
end
if vim.env.MIDFILL_TEST_BUILTIN then
  vim.lsp.inline_completion.enable()
end
require('frames').record()
vim.keymap.set('i', '<C-]>', 'was mapped')
vim.keymap.set('i', '<F2>', function()
  local server = require('midfill.server')
  server.execute(server.of(0), 'fake.grow')
end)
