---The language server of a buffer: how it is started and started again, and what it is told.
local options = require('midfill.options')

local M = {}

M.NAME = 'midfill'

---A server that ended by itself is started again so often within so many seconds.
local RESTARTS, RESTARTS_S = 3, 180

---When that was.
---@type number[]
local restarts_s = {}

---Whether servers are ending because the user wants them started again.
local restarting = false

---@param bufnr integer
---@return vim.lsp.Client?
function M.of(bufnr)
  return vim.lsp.get_clients({ bufnr = bufnr, name = M.NAME })[1]
end

---@return vim.lsp.Client[]
function M.all()
  return vim.lsp.get_clients({ name = M.NAME })
end

---@param client vim.lsp.Client
---@param command string
---@param arguments? any[]
---@param on_answer? fun(answer: any)
function M.execute(client, command, arguments, on_answer)
  local params = { command = command, arguments = arguments }
  client:request('workspace/executeCommand', params, function(failure, answer)
    if on_answer and failure then
      vim.notify(('Midfill: %s'):format(failure.message), vim.log.levels.ERROR)
    elseif on_answer then
      on_answer(answer)
    end
  end)
end

---Tell every running server the options as they are now.
function M.configure()
  local settings = { midfill = options.for_server(options.current) }
  for _, client in ipairs(M.all()) do
    client:notify('workspace/didChangeConfiguration', { settings = settings })
  end
end

---Start the server for buffers that are open and those to come.
---@param handlers table<string, lsp.Handler>
---@param on_end fun(client_id: integer) called when one has ended, whyever
function M.enable(handlers, on_end)
  vim.lsp.config(M.NAME, {
    cmd = options.current.cmd,
    handlers = handlers,
    init_options = options.for_server(options.current),
    capabilities = { textDocument = { inlineCompletion = { dynamicRegistration = false } } },
    on_exit = function(code, signal, client_id)
      vim.schedule(function()
        on_end(client_id)
        -- Neovim forgets the client in a callback that has its turn after this one.
        vim.schedule(function()
          M.ended(code ~= 0 or signal ~= 0)
        end)
      end)
    end,
  })
  if vim.fn.executable(options.current.cmd[1]) == 0 then
    local message = 'Midfill: %s was not found, see :checkhealth midfill'
    vim.notify_once(message:format(options.current.cmd[1]), vim.log.levels.ERROR)
    return
  end
  vim.lsp.enable(M.NAME)
end

---One server is gone; whether another is started.
---@param by_itself boolean it was not asked to end
function M.ended(by_itself)
  if restarting then
    if #M.all() == 0 then
      restarting = false
      vim.lsp.enable(M.NAME)
    end
  elseif by_itself and vim.v.exiting == vim.NIL then
    M.start_again(vim.uv.now() / 1000)
  end
end

---@param now_s number
function M.start_again(now_s)
  restarts_s = vim.tbl_filter(function(restart_s)
    return now_s - restart_s < RESTARTS_S
  end, restarts_s)
  if #restarts_s < RESTARTS then
    table.insert(restarts_s, now_s)
    vim.lsp.enable(M.NAME)
  else
    vim.notify('Midfill: the server keeps ending, see :Midfill log', vim.log.levels.ERROR)
  end
end

---End the servers and start one again for all open files.
function M.restart()
  restarting = #M.all() > 0
  if restarting then
    vim.lsp.enable(M.NAME, false)
  else
    vim.lsp.enable(M.NAME)
  end
end

return M
