---`:checkhealth midfill`: what works, what does not, and what to do.
local M = {}

---@return boolean
local function check_neovim()
  if vim.fn.has('nvim-0.11') == 0 then
    vim.health.error('Neovim 0.11 or newer is needed')
    return false
  end
  if require('midfill').has_inline_completion() then
    vim.health.ok('This Neovim shows suggestions (vim.lsp.inline_completion)')
  else
    vim.health.warn('This Neovim has no vim.lsp.inline_completion, so suggestions are not shown', {
      'Use Neovim 0.12 or newer.',
    })
  end
  return true
end

local function check_server()
  local config = vim.lsp.config.midfill
  if not config then
    vim.health.error('lsp/midfill.lua is not on the runtime path', { 'Install the whole plugin.' })
    return
  end
  local program = config.cmd[1]
  local path = vim.fn.exepath(program)
  if path == '' then
    vim.health.error(('%s was not found'):format(program), {
      'Install Midfill so that `midfill-lsp` is on PATH.',
      "Or name it: require('midfill').setup({ cmd = { '/path/to/midfill-lsp' } })",
    })
  else
    vim.health.ok(('Language server: %s'):format(path))
  end
end

local function check_running()
  local statuses = require('midfill').statuses()
  if #statuses == 0 then
    vim.health.info('No server is running; it starts with the first file that has a file type')
  end
  for _, status in ipairs(statuses) do
    vim.health.info(status)
  end
end

function M.check()
  vim.health.start('midfill')
  if check_neovim() then
    check_server()
    check_running()
  end
  vim.health.info('`midfill doctor` in a terminal checks the daemon and the model')
end

return M
