---Asks for suggestions and holds the one on the screen. There is one caret, and so one of them.
local ghost = require('midfill.ghost')
local menu = require('midfill.menu')
local options = require('midfill.options')
local server = require('midfill.server')
local text = require('midfill.text')

local M = {}

---@class (exact) midfill.Shown
---@field bufnr integer
---@field client_id integer
---@field items midfill.Suggestion[] never empty
---@field index integer which of them is on the screen
---@field by_hand boolean

---A suggestion where the caret is.
---@class (exact) midfill.Here
---@field caret midfill.Caret
---@field suggestion midfill.Suggestion
---@field rest string what is left of it there

---@type midfill.Shown?
local shown

---The newest request: its number, and what it takes to withdraw it while it runs.
---@type { number: integer, client?: vim.lsp.Client, id?: integer }
local asked = { number = 0 }

---Where was asked last; moving the caret and changing the text tell of one key both.
---@type string
local asked_at = ''

---@return boolean
local function is_inserting()
  return vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

---@return midfill.Caret
local function caret_now()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  return {
    bufnr = vim.api.nvim_get_current_buf(),
    row = row - 1,
    column = column,
    line = vim.api.nvim_get_current_line(),
  }
end

---What is on the screen and still agrees with the text; nil for nothing.
---@return midfill.Here?
function M.here()
  if not shown or not is_inserting() or vim.b.midfill_hidden then
    return nil
  end
  local caret, suggestion = caret_now(), shown.items[shown.index]
  if caret.bufnr ~= shown.bufnr then
    return nil
  end
  local lines = vim.api.nvim_buf_get_lines(caret.bufnr, suggestion.row, caret.row + 1, false)
  local rest = text.rest(suggestion, lines, caret.column)
  return rest and { caret = caret, suggestion = suggestion, rest = rest } or nil
end

---@return vim.lsp.Client?
function M.client()
  return shown and vim.lsp.get_client_by_id(shown.client_id)
end

---Take the suggestion off the screen.
function M.drop()
  if shown then
    ghost.clear(shown.bufnr)
    shown = nil
  end
end

---Draw what is left of the suggestion, or drop it.
function M.refresh()
  local here = M.here()
  if here then
    ghost.draw(here.caret, here.suggestion, here.rest)
  else
    M.drop()
  end
end

---@return string
local function place()
  local caret = caret_now()
  local selected = menu.has_selection() and vim.fn.complete_info({ 'selected' }).selected or -1
  local changes = vim.b.changedtick
  return table.concat({ caret.bufnr, changes, caret.row, caret.column, selected }, ' ')
end

---The parameters of a request at the caret.
---@param client vim.lsp.Client
---@param caret midfill.Caret
---@param by_hand boolean
---@return table
local function parameters(client, caret, by_hand)
  local function position(column)
    local character = vim.str_utfindex(caret.line, client.offset_encoding, column, false)
    return { line = caret.row, character = character }
  end
  local context = { triggerKind = by_hand and 1 or 2 }
  local pending = menu.pending(caret.line:sub(1, caret.column))
  if pending then
    local start = position(caret.column - pending.typed)
    local range = { start = start, ['end'] = position(caret.column) }
    context.selectedCompletionInfo = { range = range, text = pending.word }
  end
  return {
    textDocument = { uri = vim.uri_from_bufnr(caret.bufnr) },
    position = position(caret.column),
    context = context,
  }
end

---Show what was answered, as a continuation of what is on the screen where it is one.
---@param items midfill.Suggestion[]
---@param client_id integer
---@param bufnr integer
---@param by_hand boolean
local function show(items, client_id, bufnr, by_hand)
  local here = M.here()
  if #items == 0 then
    M.drop()
    return
  end
  if here then
    items = vim.tbl_map(function(item)
      return text.continue(item, here.suggestion)
    end, items)
  end
  M.drop()
  shown = { bufnr = bufnr, client_id = client_id, items = items, index = 1, by_hand = by_hand }
  M.refresh()
end

---@param answer any
---@param caret midfill.Caret as it was when it was asked
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return midfill.Suggestion[]
local function parsed(answer, caret, encoding)
  local suggestions = {}
  local items = answer.items == nil and answer or answer.items
  for _, item in ipairs(type(items) == 'table' and items or {}) do
    local suggestion = text.parse(item, caret.line, caret.row, caret.column, encoding)
    table.insert(suggestions, suggestion)
  end
  return suggestions
end

---Ask for a suggestion at the caret. What is on the screen stays until there is an answer.
---@param by_hand boolean
---@param after? fun() called when the answer is on the screen
function M.ask(by_hand, after)
  local caret = caret_now()
  local client = server.of(caret.bufnr)
  if not client then
    return
  end
  asked_at = place()
  local number = asked.number + 1
  local function on_answer(failure, answer)
    if number ~= asked.number or not is_inserting() then
      return
    end
    asked = { number = number }
    if failure or type(answer) ~= 'table' then
      return -- nothing new: what is on the screen may stay
    end
    show(parsed(answer, caret, client.offset_encoding), client.id, caret.bufnr, by_hand)
    if after then
      after()
    end
  end
  -- The one before is not withdrawn: the server ends it, or uses what it has begun for this one.
  asked = { number = number }
  local params = parameters(client, caret, by_hand)
  local sent, id = client:request('textDocument/inlineCompletion', params, on_answer, caret.bufnr)
  if sent and asked.number == number then
    asked = { number = number, client = client, id = id }
  end
end

---The text, the caret or the menu may have changed.
---@param bufnr integer
function M.changed(bufnr)
  if bufnr ~= vim.api.nvim_get_current_buf() or not is_inserting() then
    return
  end
  M.refresh()
  -- One that was asked for by hand stays while it agrees: the server would answer its first one.
  local is_automatic = options.current.enabled and options.current.trigger == 'automatic'
  if is_automatic and not (shown and shown.by_hand) and place() ~= asked_at then
    M.ask(false)
  end
end

---Withdraw what was asked, and show nothing until something changes.
function M.dismiss()
  M.drop()
  if asked.client and asked.id then
    asked.client:cancel_request(asked.id)
  end
  asked = { number = asked.number + 1 }
end

---The caret goes elsewhere; when it comes back here, that is a change.
function M.leave()
  M.dismiss()
  asked_at = ''
end

---Show another of several suggestions. Beyond the last they are asked for, and again each time:
---those that the model takes longer for are known later.
---@param step integer
function M.cycle(step)
  if not shown then
    return
  end
  local index = shown.index + step
  if shown.items[index] then
    shown.index = index
    M.refresh()
    return
  end
  M.ask(true, function()
    if shown then
      shown.index = (index - 1) % #shown.items + 1
      M.refresh()
    end
  end)
end

---`midfill/more`: a suggestion has grown. Those that were made for one request share its id; the
---first of them is the one that grows.
---@type lsp.Handler
function M.on_more(_, more, context)
  if not shown or context.client_id ~= shown.client_id or type(more.text) ~= 'string' then
    return
  end
  local first = shown.items[1]
  if first.id ~= nil and first.id == more.id then
    first.text = first.given .. more.text:gsub('\r\n?', '\n')
    M.refresh()
  end
end

---@param bufnr integer
---@param group integer
function M.watch(bufnr, group)
  local function later()
    -- The mode changes, and the menu is drawn, after the event.
    vim.schedule(function()
      M.changed(bufnr)
    end)
  end
  local function now()
    M.changed(bufnr)
  end
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  for callback, events in pairs({
    [now] = { 'TextChangedI', 'TextChangedP', 'CursorMovedI' },
    [later] = { 'InsertEnter', 'CompleteChanged', 'CompleteDone' },
    [M.leave] = { 'InsertLeave', 'BufLeave', 'LspDetach' },
  }) do
    vim.api.nvim_create_autocmd(events, { group = group, buffer = bufnr, callback = callback })
  end
end

return M
