---Neovim's own completion menu, which suggestions are shown beside.
local M = {}

---@return boolean
function M.is_open()
  return vim.fn.pumvisible() == 1
end

---@return boolean
function M.has_selection()
  return M.is_open() and vim.fn.complete_info({ 'selected' }).selected >= 0
end

---The entry that is selected but not in the text yet, as with `noinsert`.
---@param before string the line up to the caret
---@return { word: string, typed: integer }? # typed: how many bytes of it are there
function M.pending(before)
  if not M.has_selection() then
    return nil
  end
  local word = (vim.fn.complete_info({ 'completed' }).completed or {}).word or ''
  if word == '' or vim.endswith(before, word) then
    return nil
  end
  for typed = math.min(#before, #word), 1, -1 do
    if vim.endswith(before, word:sub(1, typed)) then
      return { word = word, typed = typed }
    end
  end
end

---What closes it and leaves the text as it is.
---@return string
function M.closing_keys()
  return M.is_open() and '<C-x><C-z>' or ''
end

return M
