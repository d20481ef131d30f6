---Suggestions as values: what is left of one, its parts, and how it is drawn. No buffer or window.
local M = {}

---One suggestion, and the text around it as it was when it was made.
---@class (exact) midfill.Suggestion
---@field id? string the server's name for it
---@field row integer where it begins, from 0
---@field head string what stands before it on that row
---@field given string how much of `text` was known before the server said the rest
---@field text string all that it puts there; lines end with "\n"
---@field replaced string what it replaces after the caret
---@field tail string what stands on that row after it
---@field command? lsp.Command what the server is told when all of it was accepted

---A suggestion as `ghost` draws it.
---@class (exact) midfill.Drawing
---@field pieces { offset: integer, text: string }[] between the bytes after the caret
---@field over? string what is drawn over the text after the caret
---@field tail string that text, which is then drawn after all of the suggestion
---@field below string[] further lines

---@param item table what the server answered
---@param line string the caret's row
---@param row integer
---@param column integer the caret, in bytes
---@param encoding 'utf-8'|'utf-16'|'utf-32' how the server counts
---@return midfill.Suggestion? # nil for what cannot be shown: a snippet, or a range of other rows
function M.parse(item, line, row, column, encoding)
  if type(item) ~= 'table' or type(item.insertText) ~= 'string' then
    return nil
  end
  local first, last = column, column
  if type(item.range) == 'table' then
    local from, to = item.range.start, item.range['end']
    if from.line ~= row or to.line ~= row then
      return nil
    end
    first = vim.str_byteindex(line, encoding, from.character, false)
    last = vim.str_byteindex(line, encoding, to.character, false)
  end
  if first > column or last < column then
    return nil
  end
  local command = type(item.command) == 'table' and item.command or nil
  return {
    id = command and type(command.arguments) == 'table' and command.arguments[1] or nil,
    row = row,
    head = line:sub(1, first),
    given = '',
    text = (item.insertText:gsub('\r\n?', '\n')),
    replaced = line:sub(column + 1, last),
    tail = line:sub(last + 1),
    command = command,
  }
end

---What is left of a suggestion where the caret is now.
---@param suggestion midfill.Suggestion
---@param lines string[] from the suggestion's row to the caret's
---@param column integer the caret, in bytes
---@return string? # nil when nothing is left, or the text says something else by now
function M.rest(suggestion, lines, column)
  local last = lines[#lines]
  if not last or last:sub(column + 1) ~= suggestion.replaced .. suggestion.tail then
    return nil
  end
  local before = table.concat(lines, '\n', 1, #lines - 1)
  before = (#lines > 1 and before .. '\n' or '') .. last:sub(1, column)
  local whole = suggestion.head .. suggestion.text
  if #before < #suggestion.head or not vim.startswith(whole, before) then
    return nil
  end
  local rest = whole:sub(#before + 1)
  return rest ~= suggestion.replaced and rest ~= '' and rest or nil
end

---`newer` as a continuation of the one on the screen, where it is one: what was typed of that one
---can then be taken back, and is shown again without asking anybody.
---@param newer midfill.Suggestion
---@param older midfill.Suggestion
---@return midfill.Suggestion
function M.continue(newer, older)
  local typed = newer.head:sub(#older.head + 1)
  local same_place = newer.row == older.row
    and newer.replaced .. newer.tail == older.replaced .. older.tail
    and vim.startswith(newer.head, older.head)
  if not same_place or not vim.startswith(older.text, typed) then
    return newer
  end
  return vim.tbl_extend('force', newer, {
    head = older.head,
    given = typed .. newer.given,
    text = typed .. newer.text,
  })
end

---The text up to the end of its next word, or of its next run of other characters.
---All that is not ASCII counts as letters.
---@param rest string
---@return string
function M.next_word(rest)
  return rest:match('^%s*[%w_\128-\255]+') or rest:match('^%s*[^%w%s_\128-\255]+') or rest
end

---The text up to the end of its line; at the end of a line, the next one.
---@param rest string
---@return string
function M.next_line(rest)
  return rest:match('^\n?[^\n]*')
end

---Where `rest` is new, when it keeps what it replaces: closing brackets that are already there.
---@param rest string of one line
---@param replaced string
---@return { offset: integer, text: string }[]? # nil when it does not keep it
local function pieces_around(rest, replaced)
  if replaced:find('[\128-\255]') then
    return nil -- a byte of a character would be taken for one
  end
  local pieces, last = {}, #rest
  for offset = #replaced, 1, -1 do
    -- From the right, so that what is new stands before the brackets where both would do.
    local found = last
    while found > 0 and rest:byte(found) ~= replaced:byte(offset) do
      found = found - 1
    end
    if found == 0 then
      return nil
    end
    table.insert(pieces, 1, { offset = offset, text = rest:sub(found + 1, last) })
    last = found - 1
  end
  table.insert(pieces, 1, { offset = 0, text = rest:sub(1, last) })
  return vim.tbl_filter(function(piece)
    return piece.text ~= ''
  end, pieces)
end

---@param rest string
---@param replaced string what follows the caret and would go
---@param tail string what follows that and stays
---@return midfill.Drawing
function M.drawing(rest, replaced, tail)
  local lines = vim.split(rest, '\n', { plain = true })
  local first = table.remove(lines, 1)
  local pieces = #lines == 0 and pieces_around(first, replaced)
  if pieces then
    return { pieces = pieces, tail = '', below = {} }
  end
  if replaced .. tail == '' then
    pieces = first ~= '' and { { offset = 0, text = first } } or {}
    return { pieces = pieces, tail = '', below = lines }
  end
  return { pieces = {}, over = first, tail = tail, below = lines }
end

---Tabs as the blanks that they are on the screen; virtual text knows no tab stops.
---@param text string of one line
---@param column integer the screen column it begins in
---@param tab integer the width of a tab
---@return string
function M.expand(text, column, tab)
  local parts = {}
  for run, stop in text:gmatch('([^\t]*)(\t?)') do
    column = column + vim.api.nvim_strwidth(run)
    local width = stop == '' and 0 or tab - column % tab
    column = column + width
    table.insert(parts, run .. (' '):rep(width))
  end
  return table.concat(parts)
end

return M
