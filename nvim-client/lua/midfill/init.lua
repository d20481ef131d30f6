---Set-up, and what a configuration may call. The way of a suggestion is in `suggest.lua`.
local M = {}

---Why Midfill cannot work here, or nil.
---@return string?
local function obstacle()
  return vim.fn.has('nvim-0.11') == 0 and 'Neovim 0.11 or newer is needed' or nil
end

---@param client vim.lsp.Client
---@param bufnr integer
---@param group integer
local function attach(client, bufnr, group)
  if vim.lsp.inline_completion then
    -- Neovim's own client may be enabled for other servers; two would draw the same text.
    vim.lsp.inline_completion.enable(false, { client_id = client.id })
  end
  require('midfill.suggest').watch(bufnr, group)
  require('midfill.keys').map_all(require('midfill.options').current.keys, bufnr)
end

---Buffers to come, and those that an earlier set-up has attached.
---@param group integer
local function watch_attach(group)
  for _, client in ipairs(require('midfill.server').all()) do
    for bufnr in pairs(client.attached_buffers) do
      attach(client, bufnr, group)
    end
  end
  vim.api.nvim_create_autocmd('LspAttach', {
    group = group,
    callback = function(event)
      local client = vim.lsp.get_client_by_id(event.data.client_id)
      if client and client.name == require('midfill.server').NAME then
        attach(client, event.buf, group)
      end
    end,
  })
end

---Configure Midfill and start its server for files that are open and those to come.
---`plugin/midfill.lua` does it where nobody else has.
---@param opts? table see `midfill.Options`; over those of `vim.g.midfill`
function M.setup(opts)
  vim.g.midfill_is_set_up = true
  if obstacle() then
    vim.notify_once(('Midfill: %s'):format(obstacle()), vim.log.levels.WARN)
    return
  end
  local options, server = require('midfill.options'), require('midfill.server')
  local status, suggest = require('midfill.status'), require('midfill.suggest')
  for _, problem in ipairs(options.set(opts)) do
    vim.notify(('Midfill: %s'):format(problem), vim.log.levels.WARN)
  end
  require('midfill.ghost').define_highlights()
  local group = vim.api.nvim_create_augroup('midfill', { clear = true })
  watch_attach(group)
  server.configure()
  server.enable(
    { ['midfill/status'] = status.on_status, ['midfill/more'] = suggest.on_more },
    status.forget
  )
end

---Whether a suggestion is on the screen.
---@return boolean
function M.is_visible()
  return require('midfill.suggest').here() ~= nil
end

---Accept all of the suggestion, its next word or its next line. For a mapping of your own, with or
---without <expr>.
---@param part? midfill.Part default: all
---@return boolean # false if there is none
function M.accept(part)
  return require('midfill.accept').accept(part or 'all')
end

---Show another suggestion instead.
---@param step? integer -1: the one before
---@return boolean # false if there is none
function M.cycle(step)
  return require('midfill.accept').cycle(step or 1)
end

---Take the suggestion away and say that it was not wanted.
---@return boolean # false if there is none
function M.dismiss()
  return require('midfill.accept').dismiss()
end

---Ask for suggestions by hand, in Insert mode.
function M.trigger()
  require('midfill.accept').trigger()
end

---Text for a statusline: `%{v:lua.require'midfill'.status()}`; empty where Midfill is not attached.
---@param bufnr? integer default: the current buffer
---@return string
function M.status(bufnr)
  return require('midfill.status').component(bufnr or 0)
end

return M
