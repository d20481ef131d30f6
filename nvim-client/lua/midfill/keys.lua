---The keys of Insert mode. Each does what it did before where there is no suggestion.
local accept = require('midfill.accept')
local menu = require('midfill.menu')

local M = {}

---@param action string
---@return string
local function description(action)
  return 'Midfill: ' .. action:gsub('_', ' ')
end

---By their names in `options.keys`; each says whether it did something.
---@type table<string, fun(): boolean>
M.ACTIONS = {
  accept = function()
    return accept.accept('all')
  end,
  accept_word = function()
    return accept.accept('word')
  end,
  accept_line = function()
    return accept.accept('line')
  end,
  next = function()
    return accept.cycle(1)
  end,
  previous = function()
    return accept.cycle(-1)
  end,
  dismiss = accept.dismiss,
  trigger = accept.trigger,
}

---Whatever the key did before moves to a <Plug> mapping that ours falls through to, so that snippet
---jumps and completion menus keep working.
---@param key string
---@param plug string
---@param bufnr integer
---@return boolean # whether it may have to do with the completion menu
local function keep_previous(key, plug, bufnr)
  local previous = vim.fn.maparg(key, 'i', false, true)
  if vim.tbl_isempty(previous) then
    vim.keymap.set('i', plug, key, { buffer = bufnr })
    return false
  end
  previous.buffer, previous.lhs, previous.lhsrawalt = 1, plug, nil
  previous.lhsraw = vim.api.nvim_replace_termcodes(plug, true, true, true)
  vim.fn.mapset(previous)
  -- Neovim's own mapping of <Tab> jumps in snippets and does nothing to the menu.
  return not vim.startswith(previous.desc or '', 'vim.snippet.')
end

---@param action string
---@param key string
---@param bufnr integer
local function map(action, key, bufnr)
  if vim.fn.maparg(key, 'i', false, true).desc == description(action) then
    return -- mapped when an earlier server attached
  end
  local plug = ('<Plug>(midfill-without-%s)'):format(action)
  local may_select = keep_previous(key, plug, bufnr)
  vim.keymap.set('i', key, function()
    -- An entry that is selected in the menu comes before a suggestion.
    local is_for_menu = may_select and menu.has_selection()
    return not is_for_menu and M.ACTIONS[action]() and '' or plug
  end, { buffer = bufnr, expr = true, remap = true, desc = description(action) })
end

---@param action string
---@param key string
---@param bufnr integer
---@return boolean
function M.is_ours(action, key, bufnr)
  return vim.api.nvim_buf_call(bufnr, function()
    return vim.fn.maparg(key, 'i', false, true).desc == description(action)
  end)
end

---@param keys table<string, string|false>
---@param bufnr integer
function M.map_all(keys, bufnr)
  -- maparg and mapset act on the current buffer, which need not be the attached one.
  vim.api.nvim_buf_call(bufnr, function()
    for action, key in pairs(keys) do
      if key then
        map(action, key, bufnr)
      end
    end
  end)
end

return M
