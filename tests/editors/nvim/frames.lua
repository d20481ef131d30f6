-- Writes down each suggestion that is drawn, to show that none comes and goes between keys.
local M = {}

local frames, last = {}, ''

local function drawn()
  local namespace = vim.api.nvim_get_namespaces().midfill
  local texts = {}
  for _, mark in
    ipairs(
      namespace and vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true }) or {}
    )
  do
    for _, chunk in ipairs(mark[4].virt_text or {}) do
      table.insert(texts, chunk[1])
    end
    for _, line in ipairs(mark[4].virt_lines or {}) do
      table.insert(texts, '\n' .. line[1][1])
    end
  end
  return table.concat(texts)
end

function M.record()
  vim.api.nvim_set_decoration_provider(vim.api.nvim_create_namespace('frames'), {
    on_end = function()
      local now = drawn()
      if now ~= last then
        last = now
        table.insert(frames, now)
      end
    end,
  })
end

function M.take()
  local taken = frames
  frames = {}
  return taken
end

return M
