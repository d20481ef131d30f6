---What the server says of itself, for the statusline, `:Midfill status` and the health check.
local server = require('midfill.server')

local M = {}

---@class (exact) midfill.Status
---@field state string starting, ready, working, cached, manual, slow, off, error or disconnected
---@field reason string
---@field model string

---The last one of each running server, by client id.
---@type table<integer, midfill.Status>
local statuses = {}

---@type lsp.Handler
function M.on_status(_, status, context)
  statuses[context.client_id] = status
  vim.api.nvim_exec_autocmds('User', { pattern = 'MidfillStatus', data = status })
  vim.cmd.redrawstatus({ bang = true })
end

---@param client_id integer
function M.forget(client_id)
  statuses[client_id] = nil
end

---@param client vim.lsp.Client
---@return midfill.Status
function M.of(client)
  return statuses[client.id] or { state = 'starting', reason = '', model = '' }
end

---@param status midfill.Status
---@return string
function M.sentence(status)
  local parts = vim.tbl_filter(function(part)
    return part ~= ''
  end, { status.state, status.model, status.reason })
  return ('Midfill: %s'):format(table.concat(parts, ', '))
end

---@param bufnr integer
---@return string # empty where Midfill is not attached
function M.component(bufnr)
  local client = server.of(bufnr)
  return client and ('midfill: %s'):format(M.of(client).state) or ''
end

return M
