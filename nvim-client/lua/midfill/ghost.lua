---Draws a suggestion as virtual text: what follows the caret moves aside, further lines open below.
local menu = require('midfill.menu')
local text = require('midfill.text')

local M = {}

local namespace = vim.api.nvim_create_namespace('midfill')

local SUGGESTION = 'MidfillSuggestion'

---Where a suggestion is drawn.
---@class (exact) midfill.Caret
---@field bufnr integer
---@field row integer from 0
---@field column integer in bytes
---@field line string

function M.define_highlights()
  vim.cmd.highlight('default link MidfillSuggestion Comment')
end

---@param bufnr integer
function M.clear(bufnr)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  end
end

---@param caret midfill.Caret
---@param column integer
---@param mark vim.api.keyset.set_extmark
local function put(caret, column, mark)
  mark.virt_lines_overflow = mark.virt_lines and 'scroll' or nil
  vim.api.nvim_buf_set_extmark(caret.bufnr, namespace, caret.row, column, mark)
end

---@param lines string[]
---@param tail string
---@param tab integer
---@return [string, string][][]
local function virtual_lines(lines, tail, tab)
  local drawn = vim.tbl_map(function(line)
    return { { text.expand(line, 0, tab), SUGGESTION } }
  end, lines)
  if tail ~= '' and #drawn > 0 then
    local width = vim.api.nvim_strwidth(drawn[#drawn][1][1])
    table.insert(drawn[#drawn], { text.expand(tail, width, tab), 'Normal' })
  end
  return drawn
end

---Cover the text after the caret with how the row would look.
---@param drawing midfill.Drawing
---@param caret midfill.Caret
---@param start integer the screen column of the caret
---@param tab integer
---@return [string, string][]
local function covering(drawing, caret, start, tab)
  local first = text.expand(drawing.over, start, tab)
  local last = #drawing.below == 0 and drawing.tail or ''
  local covered = vim.fn.strdisplaywidth(caret.line:sub(caret.column + 1), start)
  local blanks = covered - vim.api.nvim_strwidth(first .. last)
  return { { first, SUGGESTION }, { last .. (' '):rep(blanks), 'Normal' } }
end

---How many lines there are that a menu hides.
---@param drawing midfill.Drawing
---@return string
local function hint(drawing)
  return #drawing.below > 0 and (' … +%d'):format(#drawing.below) or ''
end

---Draw `rest` at the caret, in place of what was drawn before.
---@param caret midfill.Caret
---@param suggestion midfill.Suggestion
---@param rest string
function M.draw(caret, suggestion, rest)
  local drawing = text.drawing(rest, suggestion.replaced, suggestion.tail)
  local tab = vim.bo[caret.bufnr].tabstop
  local start = vim.fn.strdisplaywidth(caret.line:sub(1, caret.column))
  local is_covered = menu.is_open()
  M.clear(caret.bufnr)
  for _, piece in ipairs(drawing.pieces) do
    local before = caret.line:sub(1, caret.column + piece.offset)
    local shown = text.expand(piece.text, vim.fn.strdisplaywidth(before), tab)
    put(caret, caret.column + piece.offset, {
      virt_text = { { shown, SUGGESTION } },
      virt_text_pos = 'inline',
    })
  end
  if drawing.over then
    local chunks = covering(drawing, caret, start, tab)
    put(caret, caret.column, { virt_text = chunks, virt_text_pos = 'overlay' })
  end
  if is_covered and hint(drawing) ~= '' then
    -- The menu lies over the lines below; they would only move the text about.
    put(caret, #caret.line, {
      virt_text = { { hint(drawing), SUGGESTION } },
      virt_text_pos = 'inline',
    })
  elseif #drawing.below > 0 then
    put(caret, caret.column, { virt_lines = virtual_lines(drawing.below, drawing.tail, tab) })
  end
end

return M
