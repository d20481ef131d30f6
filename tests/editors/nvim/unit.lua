-- The pure parts of the plugin, without a screen: nvim -l tests/editors/nvim/unit.lua
local here = vim.fs.dirname(vim.fs.abspath(debug.getinfo(1, 'S').source:sub(2)))
vim.opt.runtimepath:prepend(here .. '/../../../nvim-client')

local command = require('midfill.command')
local options = require('midfill.options')
local text = require('midfill.text')

---`x = f(‹a›)`: the suggestion is "a", what stands before and after it is known.
---@param row string
---@param replaced? string how the text after it begins, where that would go
---@return midfill.Suggestion
local function suggestion(row, replaced)
  local head, inserted, after = row:match('^(.-)‹(.-)›(.*)$')
  local known = { row = 0, head = head, given = '', text = inserted, replaced = replaced or '' }
  known.tail = after:sub(#known.replaced + 1)
  return known
end

---@param buffer string with ‸ at the caret
---@return string[] lines up to the caret's, integer column
local function place(buffer)
  local before, after = buffer:match('^(.-)‸(.*)$')
  local lines = vim.split(before, '\n', { plain = true })
  local column = #lines[#lines]
  lines[#lines] = lines[#lines] .. after
  return lines, column
end

local function rest(row, replaced, buffer)
  return text.rest(suggestion(row, replaced), place(buffer))
end

local function continued(newer, older, buffer)
  return text.rest(text.continue(suggestion(newer), suggestion(older)), place(buffer))
end

local function parsed(item, line, column, encoding)
  local found = text.parse(item, line, 0, column, encoding)
  return found and ('%s‹%s›%s|%s'):format(found.head, found.text, found.replaced, found.tail)
end

local function drawn(left, replaced, tail)
  local drawing = text.drawing(left, replaced, tail)
  local pieces = vim.tbl_map(function(piece)
    return ('%d:%s'):format(piece.offset, piece.text)
  end, drawing.pieces)
  local over = drawing.over and ('over:' .. drawing.over)
  return table.concat(vim.iter({ pieces, over or {}, drawing.below }):flatten():totable(), '|')
end

local function problems(opts)
  return table.concat(options.set(opts), '; ')
end

local function completed(line)
  return table.concat(command.complete(line:match('%S*$'), line), ' ')
end

local function range(first, last, row)
  local line = row or 0
  return { start = { line = line, character = first }, ['end'] = { line = line, character = last } }
end

local MULTI = 'if x:‹\n    y()\n    z()›'

local ACTIONS = 'accept, accept_line, accept_word, dismiss, next, previous, trigger'

---Function, arguments, what it must return.
local ROWS = {
  { rest, { 'x = ‹sum(a)›', '', 'x = ‸' }, 'sum(a)' },
  { rest, { 'x = ‹sum(a)›', '', 'x = su‸' }, 'm(a)' },
  { rest, { 'x = ‹sum(a)›', '', 'x = so‸' }, nil },
  { rest, { 'x = ‹sum(a)›', '', 'x =‸' }, nil },
  { rest, { 'x = ‹sum(a)›', '', 'x = sum(a)‸' }, nil },
  { rest, { 'x = ‹sum(a)›', '', 'y = su‸' }, nil },
  { rest, { 'x = ‹sum(a)›', '', 'x = s‸)' }, nil },
  { rest, { 'f(‹a, b)›)', ')', 'f(a‸)' }, ', b)' },
  { rest, { 'f(‹a)›)', ')', 'f(a‸)' }, nil },
  { rest, { 'f(‹a› + 1', '', 'f(‸ + 1' }, 'a' },
  { rest, { '‹日本›', '', '日‸' }, '本' },
  { rest, { MULTI, '', 'if x:\n    y‸' }, '()\n    z()' },
  { rest, { MULTI, '', 'if x:\n    ‸' }, 'y()\n    z()' },
  { rest, { MULTI, '', 'if x:\n\ty‸' }, nil },
  { continued, { 'x = s‹um›', 'x = ‹sum›', 'x = ‸' }, 'sum' },
  { continued, { 'x = s‹um(a)›', 'x = ‹sum›', 'x = ‸' }, 'sum(a)' },
  { continued, { 'x = o‹r›', 'x = ‹sum›', 'x = ‸' }, nil },
  { continued, { 'x = s‹um›)', 'x = ‹sum›', 'x = ‸' }, nil },
  { parsed, { { insertText = 'a' }, 'x = ', 4, 'utf-8' }, 'x = ‹a›|' },
  { parsed, { { insertText = 'a\r\nb' }, 'x', 1, 'utf-8' }, 'x‹a\nb›|' },
  { parsed, { { insertText = 'a)', range = range(2, 3) }, 'f()', 2, 'utf-8' }, 'f(‹a)›)|' },
  { parsed, { { insertText = '🎈', range = range(5, 5) }, "'🎉' + x", 8, 'utf-16' }, nil },
  {
    parsed,
    { { insertText = '🎈', range = range(7, 7) }, "'🎉' + x", 9, 'utf-16' },
    "'🎉' + ‹🎈›|x",
  },
  {
    parsed,
    { { insertText = '🎈', range = range(6, 6) }, "'🎉' + x", 9, 'utf-32' },
    "'🎉' + ‹🎈›|x",
  },
  { parsed, { { insertText = 'a', range = range(0, 99) }, 'f()', 2, 'utf-16' }, '‹a›)|' },
  { parsed, { { insertText = 'a', range = range(0, 1, 3) }, 'f()', 2, 'utf-16' }, nil },
  { parsed, { { insertText = 7 }, 'f()', 2, 'utf-16' }, nil },
  { parsed, { vim.NIL, 'f()', 2, 'utf-16' }, nil },
  { text.next_word, { 'sum(values)' }, 'sum' },
  { text.next_word, { ' / len(x)' }, ' /' },
  { text.next_word, { '(values)' }, '(' },
  { text.next_word, { '\n    return x' }, '\n    return' },
  { text.next_word, { '日本 x' }, '日本' },
  { text.next_word, { '  ' }, '  ' },
  { text.next_line, { 'a\n  b\nc' }, 'a' },
  { text.next_line, { '\n  b\nc' }, '\n  b' },
  { drawn, { 'sum', '', '' }, '0:sum' },
  { drawn, { 'sum', '', ' + 1' }, '0:sum' },
  { drawn, { 'a, b)', ')', '' }, '0:a, b' },
  { drawn, { 'a) + b', ')', '' }, '0:a|1: + b' },
  { drawn, { '"a")', '")', ';' }, '0:"a' },
  { drawn, { 'a]', ')', '' }, 'over:a]' },
  { drawn, { 'a\n  b', '', '' }, '0:a|  b' },
  { drawn, { '\n  b', '', '' }, '  b' },
  { drawn, { 'a\n  b)', ')', '' }, 'over:a|  b)' },
  { text.expand, { 'a\tb', 0, 4 }, 'a   b' },
  { text.expand, { '\tb', 3, 4 }, ' b' },
  { text.expand, { '日\tb', 0, 4 }, '日  b' },
  { completed, { 'Midfill ex' }, 'explain' },
  { completed, { 'Midfill accept' }, 'accept accept_line accept_word' },
  { completed, { 'Midfill language gitreb' }, 'gitrebase' },
  { completed, { 'Midfill language python rust' }, '' },
  { completed, { 'Midfill status x' }, '' },
  { completed, { 'Midfill nonsense x' }, '' },
  { problems, { {} }, '' },
  { problems, { { cmd = '/bin/midfill-lsp', keys = { accept = false } } }, '' },
  { problems, { { keys = { aceept = 'x' } } }, 'keys must be a table of ' .. ACTIONS },
  { problems, { { trigger = 'sometimes' } }, 'trigger must be "automatic" or "manual"' },
  { problems, { { enabeld = true } }, 'unknown option enabeld' },
  { problems, { 'no table' }, 'the options must be a table' },
}

local failures = 0
for number, row in ipairs(ROWS) do
  local got = row[1](unpack(row[2]))
  if got ~= row[3] then
    failures = failures + 1
    print(('row %d: %s, not %s'):format(number, vim.inspect(got), vim.inspect(row[3])))
  end
end
print(('%d rows, %d failures'):format(#ROWS, failures))
os.exit(failures == 0 and 0 or 1)
