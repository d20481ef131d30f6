---What the user does with a suggestion: take all or a part of it, see another one, send it away.
local menu = require('midfill.menu')
local server = require('midfill.server')
local suggest = require('midfill.suggest')
local text = require('midfill.text')

local M = {}

---@alias midfill.Part 'all'|'word'|'line'

---@type table<midfill.Part, fun(rest: string): string>
local PARTS = {
  all = function(rest)
    return rest
  end,
  word = text.next_word,
  line = text.next_line,
}

---@param here midfill.Here
---@param part string
---@param replaced integer how many bytes after the caret go
local function insert(here, part, replaced)
  local caret, lines = here.caret, vim.split(part, '\n', { plain = true })
  local last = caret.column + replaced
  vim.api.nvim_buf_set_text(caret.bufnr, caret.row, caret.column, caret.row, last, lines)
  local column = #lines[#lines] + (#lines == 1 and caret.column or 0)
  vim.api.nvim_win_set_cursor(0, { caret.row + #lines, column })
end

---Insert a part of the suggestion now. Only outside of textlock; mappings call `accept`.
---@param name midfill.Part
function M.insert(name)
  local here, client = suggest.here(), suggest.client()
  if not here then
    return
  end
  local suggestion, part = here.suggestion, PARTS[name](here.rest)
  if part ~= here.rest then
    insert(here, part, 0)
    suggest.refresh()
    if client and suggestion.id then
      local arguments = { suggestion.id, vim.fn.strchars(part) }
      server.execute(client, 'midfill.partlyAccepted', arguments)
    end
    return
  end
  suggest.drop()
  insert(here, part, #suggestion.replaced)
  if client and suggestion.command then
    server.execute(client, suggestion.command.command, suggestion.command.arguments)
  end
end

---Accept the suggestion as an undo step of its own; false if there is none.
---@param part midfill.Part
---@return boolean
function M.accept(part)
  if not suggest.here() then
    return false
  end
  -- Mappings with <expr> must not change the text. These keys come before any that wait already.
  local run = ('<C-g>u<Cmd>lua require("midfill.accept").insert("%s")<CR>'):format(part)
  local keys = vim.api.nvim_replace_termcodes(menu.closing_keys() .. run, true, true, true)
  vim.api.nvim_feedkeys(keys, 'ni', false)
  return true
end

---@param step integer
---@return boolean
function M.cycle(step)
  if not suggest.here() then
    return false
  end
  suggest.cycle(step)
  return true
end

---@return boolean
function M.dismiss()
  local here, client = suggest.here(), suggest.client()
  if not here then
    return false
  end
  suggest.dismiss()
  if client then
    server.execute(client, 'midfill.dismissed', { here.suggestion.id })
  end
  return true
end

---@return boolean
function M.trigger()
  suggest.ask(true)
  return true
end

return M
